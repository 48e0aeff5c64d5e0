/** More Debian packages on top of a root: a layer of its own, so that it is made once for all images that want it. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { run } from '../../host/exec.ts'
import type { Command } from '../../host/exec.ts'
import { networkError } from '../apt-sources.ts'
import { lockDifferences, pinPreferences, staleLock } from '../debian-packages.ts'
import { SOURCE_DATE_EPOCH, asRoot, insideRoot } from '../namespace.ts'
import type { RootStack } from '../namespace.ts'
import { machineLeftovers } from '../recipe/guest-files.ts'
import type { LockedDebianPackage } from '../types.ts'
import { readPackages, trustBytecode } from './base-root.ts'
import type { BakeStep } from './step.ts'

export interface DebianLayerContext {
  /** Whose packages: the image's name, for messages. */
  readonly image: string
  readonly packages: readonly string[]
  readonly sources: readonly string[]
  /** Pins of this layer, when the lock has them. */
  readonly locked: readonly LockedDebianPackage[] | undefined
  /** Packages of the layers below. */
  readonly below: readonly LockedDebianPackage[]
  /** A writable stack; `upper` is the result. */
  readonly root: RootStack
  /** An existing folder on this machine for apt's index and configuration; `lists` in it is the index to use. */
  readonly apt: string
}

/** The packages that the layer adds to, or changes in, what is below. */
export const debianLayer: BakeStep<DebianLayerContext, readonly LockedDebianPackage[]> = {
  name: 'Debian packages',
  inputs: ({ packages }) => ({ packages: [...packages].sort().join(' ') }),
  plan: (context) => [updateCommand(context), installCommand(context), ...cleanCommands(context)],
  async run(context, signal) {
    const options = { what: `installing Debian packages for ${context.image}`, killSignal: 'SIGKILL' as const, ...(signal === undefined ? {} : { signal }) }
    const { apt, root } = context
    await mkdir(join(apt, 'lists', 'partial'), { recursive: true })
    await writeFile(join(apt, 'sources.list'), context.sources.map((line) => `${line}\n`).join(''))
    await writeFile(join(apt, 'pins'), pinPreferences(context.locked ?? []))
    const [update, install, ...clean] = this.plan(context)
    if (update === undefined || install === undefined) throw new Error('the plan has no install command')
    try {
      // The index kept with the base image fits its packages; only when the archive has moved on is a new one fetched.
      await run(install, options)
    } catch (error) {
      if (!(error instanceof KilnError) || error.code !== 'E_TOOL_FAILED') throw error
      await run(update, options).catch((failure: unknown) => Promise.reject(explain(failure, context)))
      await run(install, options).catch((failure: unknown) => Promise.reject(explain(failure, context)))
    }
    const below = new Map(context.below.map((item) => [item.name, item.version]))
    const all = await readPackages(root, signal, join(apt, 'lists'))
    const added = all.filter(({ name, version }) => below.get(name) !== version)
    const differences = context.locked === undefined ? [] : lockDifferences(context.locked, added)
    if (differences.length > 0) throw staleLock(context.image, differences)
    await trustBytecode(join(root.cwd, root.writable?.upper ?? ''))
    for (const command of clean) await run(command, options)
    await rm(join(apt, 'pins'), { force: true })
    return added
  },
  async verify(context, result) {
    const below = new Set(context.below.map(({ name }) => name))
    const names = new Set(result.map(({ name }) => name))
    const missing = context.packages.filter((name) => !names.has(name) && !below.has(name))
    if (missing.length > 0) throw new KilnError('E_BAKE', `Debian did not install ${missing.join(', ')} for image ${context.image}`)
  },
}

const aptInside = '/run/kiln/apt'

function aptCommand(context: DebianLayerContext, args: readonly string[]): Command {
  const options = [
    `Dir::Etc::SourceList=${aptInside}/sources.list`,
    'Dir::Etc::SourceParts=-',
    `Dir::Etc::Preferences=${aptInside}/pins`,
    `Dir::State::Lists=${aptInside}/lists`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    'APT::Install-Recommends=false',
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    'Acquire::Retries=3',
  ]
  return insideRoot(context.root, 'apt-get', [...options.flatMap((option) => ['-o', option]), ...args], { network: true, binds: { [context.apt]: aptInside } })
}

function updateCommand(context: DebianLayerContext): Command {
  return aptCommand(context, ['update'])
}

function installCommand(context: DebianLayerContext): Command {
  return aptCommand(context, ['install', '--yes', '--no-install-recommends', ...[...context.packages].sort()])
}

function cleanCommands({ root }: DebianLayerContext): Command[] {
  const upper = join(root.cwd, root.writable?.upper ?? '')
  return [
    asRoot({ program: 'sh', args: ['-c', `cd "$1" && rm -rf -- ${machineLeftovers.join(' ')}`, 'kiln', upper] }),
    asRoot({ program: 'find', args: [upper, '-newermt', `@${SOURCE_DATE_EPOCH}`, '-exec', 'touch', '--no-dereference', '-d', `@${SOURCE_DATE_EPOCH}`, '{}', '+'] }),
  ]
}

function explain(error: unknown, context: DebianLayerContext): unknown {
  if (!(error instanceof KilnError) || error.code !== 'E_TOOL_FAILED') return error
  const detail = error.detail ?? ''
  if (/Temporary failure resolving|Could not connect|Connection (refused|timed out)|Failed to fetch|Network is unreachable/.test(detail) && !/404 +Not Found/.test(detail))
    return networkError(context.sources[0] ?? '', context.image, error)
  if (/No space left on device/.test(detail))
    return new KilnError('E_DISK_FULL', `the disk became full while installing packages for ${context.image}`, {
      hint: 'free some space and run the same command again',
      cause: error,
    })
  const unknown = [...detail.matchAll(/E: Unable to locate package (\S+)|E: Package '(\S+)' has no installation candidate/g)].map((match) => match[1] ?? match[2])
  if (unknown.length > 0)
    return new KilnError('E_BAKE', `Debian has no package ${unknown.join(', ')}`, {
      hint: `correct the packages of image ${context.image} in kiln.config.ts`,
      detail,
      cause: error,
    })
  return new KilnError('E_BAKE', `installing Debian packages for image ${context.image} failed`, { detail, cause: error })
}
