/** Verbs over releases: deploy, rollback, releases. */
import type { Command } from 'commander'
import type { Caller } from '../../app/delivery/caller.ts'
import { KilnError } from '../../base/errors.ts'
import { defineCommand, wholeNumber } from '../define-command.ts'
import type { Invocation } from '../define-command.ts'
import { renderRelease, renderReleases, renderReport } from '../render/releases.ts'
import { targetOption } from '../target.ts'
import { verbOptions, withProgress } from '../with-progress.ts'

const whyOption = { flags: '--why <text>', help: 'kept in the ledger, for whoever looks later' }

export function addReleaseCommands(program: Command): void {
  defineCommand(program, {
    name: 'deploy',
    summary: 'publish, bake and roll out what is in the folder, behind health gates; a release that fails goes back by itself',
    options: [
      { flags: '--image <name>', help: 'roll out this image instead' },
      { flags: '--version <version>', help: 'roll out the newest image with this version of the package instead' },
      { flags: '--strategy <name>', help: "rolling, canary or blue-green (default: the config's)", choices: ['rolling', 'canary', 'blue-green'] },
      { flags: '--canary-percent <n>', help: 'how much of the group a canary gets first; means --strategy canary', parse: wholeNumber },
      { flags: '--bake <seconds>', help: "how long the new release is watched before it is live (default: the config's)", parse: wholeNumber },
      whyOption,
      { flags: '--force', help: 'a new release also when nothing would change' },
      { flags: '--cold', help: 'its machines boot, instead of being resumed from a snapshot of their image' },
      { flags: '--keep-disk', help: 'keep the disk of a sick machine of it when it fails (kiln releases show N names it; prune removes it)' },
      targetOption,
    ],
    stack: true,
    asks: true,
    footer: 'Exit code 1 and the failure capsule (kiln releases show N --capsule) when the release failed; what served before serves then.',
    async action(invocation) {
      const { deploy } = await import('../../app/delivery/deploy.ts')
      const { options } = invocation
      const { image, version, strategy, canaryPercent, bake, why } = options
      if (image !== undefined && version !== undefined) throw new KilnError('E_USAGE', 'an image and a version were named; name one of them')
      if (typeof canaryPercent === 'number' && (canaryPercent < 1 || canaryPercent > 99)) throw new KilnError('E_USAGE', `--canary-percent is ${canaryPercent}; expected 1 to 99`)
      if (typeof canaryPercent === 'number' && strategy !== undefined && strategy !== 'canary')
        throw new KilnError('E_USAGE', `--canary-percent does not go with --strategy ${String(strategy)}`)
      return withProgress(invocation, invocation.stackDir(), 'Roll this out?', async (verb) =>
        deploy({
          ...verb,
          image: text(image),
          version: text(version),
          strategy: strategy === 'rolling' || strategy === 'canary' || strategy === 'blue-green' ? strategy : undefined,
          canaryPercent: typeof canaryPercent === 'number' ? canaryPercent : undefined,
          bakeSeconds: typeof bake === 'number' ? bake : undefined,
          ...(await caller()),
          why: text(why) ?? 'kiln deploy',
          force: options['force'] === true,
          cold: options['cold'] === true,
          keepDisk: options['keepDisk'] === true,
        }),
      )
    },
    render: renderReport,
  })

  defineCommand(program, {
    name: 'rollback',
    summary: 'bring an earlier release back: its image and its machines, as a new release',
    arguments: [{ form: '[number]', help: 'which one (default: the one before the current one that served well)' }],
    options: [whyOption, targetOption],
    stack: true,
    asks: true,
    async action(invocation) {
      const { rollback } = await import('../../app/delivery/deploy.ts')
      const number = releaseNumber(invocation)
      const why = text(invocation.options['why']) ?? 'kiln rollback'
      return withProgress(invocation, invocation.stackDir(), 'Roll back?', async (verb) => rollback({ ...verb, who: (await caller()).who, why, number }))
    },
    render: renderReport,
  })

  addReleases(program)
}

function addReleases(program: Command): void {
  const releases = defineCommand(program, {
    name: 'releases',
    summary: 'the ledger: which releases there were, which serves, which can be brought back',
    options: [targetOption],
    stack: true,
    async action(invocation) {
      const { listReleases } = await import('../../app/delivery/ledger.ts')
      return listReleases(verbOptions(invocation, invocation.stackDir()))
    },
    render: renderReleases,
  })

  defineCommand(releases, {
    name: 'show',
    summary: 'one release: its gates with what was seen, and its failure capsule',
    arguments: [{ form: '<number>', help: 'which one' }],
    options: [{ flags: '--capsule', help: 'the whole texts of the failure capsule: answers at the health path, journals, serial logs' }, targetOption],
    stack: true,
    async action(invocation) {
      const { showRelease } = await import('../../app/delivery/ledger.ts')
      const number = releaseNumber(invocation) ?? 0
      return showRelease({ ...verbOptions(invocation, invocation.stackDir()), number, withTexts: invocation.options['capsule'] === true })
    },
    render: renderRelease,
  })

  defineCommand(releases, {
    name: 'prune',
    summary: 'remove templates, images, capsules and kept disks of old releases; never what a release, a group or a VM needs',
    options: [
      { flags: '--keep <n>', help: "so many releases that served can still be brought back (default: the config's)", parse: wholeNumber },
      { flags: '--disks', help: 'all kept disks of failed releases go, also of those whose capsule stays' },
      { flags: '--dry-run', help: 'only say what would go' },
      targetOption,
    ],
    stack: true,
    async action(invocation) {
      const { pruneReleases } = await import('../../app/delivery/ledger.ts')
      const keep = invocation.options['keep']
      return pruneReleases({
        ...verbOptions(invocation, invocation.stackDir()),
        keep: typeof keep === 'number' ? keep : undefined,
        allDisks: invocation.options['disks'] === true,
        dryRun: invocation.options['dryRun'] === true,
      })
    },
    render(result) {
      if (typeof result['blocked'] === 'string') return `nothing was removed: ${result['blocked']}`
      const rows = (['templates', 'images', 'capsules', 'disks'] as const).map(
        (what) => `${what.padEnd(9)} ${(result[what] as readonly unknown[]).map(String).join(', ') || 'none'}`,
      )
      return [result['dryRun'] === true ? 'would be removed:' : 'removed:', ...rows].join('\n')
    },
  })
}

function releaseNumber({ args }: Invocation): number | undefined {
  const [given] = args
  if (given === undefined) return undefined
  if (/^[1-9]\d{0,11}$/.test(given)) return Number(given)
  throw new KilnError('E_USAGE', `${JSON.stringify(given)} is not the number of a release`, { hint: 'kiln releases lists them' })
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

async function caller(): Promise<Caller> {
  const { callerOf } = await import('../../app/delivery/caller.ts')
  return callerOf(process.env)
}
