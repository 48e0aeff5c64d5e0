/** Which programs of the machine Kiln needs, who needs them, and how they are installed. */
import { access, readFile } from 'node:fs/promises'
import { KilnError } from '../base/errors.ts'
import { findProgram } from '../host/files.ts'
import { run } from '../host/exec.ts'
import { requirements } from './requirements.ts'
import type { Requirement } from './requirements.ts'

export interface Finding {
  readonly name: string
  readonly neededBy: string
  readonly package: string
  readonly found: string | undefined
  readonly optional: boolean
}

export interface Diagnosis {
  readonly ok: boolean
  readonly findings: readonly Finding[]
  /** The exact command that installs what is missing; undefined when nothing is. */
  readonly remedy: string | undefined
}

/** Looks for every required program and file. Changes nothing. */
export async function diagnose(list: readonly Requirement[] = requirements): Promise<Diagnosis> {
  const isRoot = process.getuid?.() === 0
  const findings: Finding[] = []
  for (const requirement of list) {
    if (requirement.onlyWithoutRoot === true && isRoot) continue
    findings.push({
      name: requirement.name,
      neededBy: requirement.neededBy,
      package: requirement.package,
      found: await locate(requirement),
      optional: requirement.optional === true,
    })
  }
  const missing = findings.filter((finding) => finding.found === undefined && !finding.optional)
  return { ok: missing.length === 0, findings, remedy: missing.length === 0 ? undefined : installCommand(missing) }
}

function installCommand(missing: readonly Finding[]): string {
  const packages = [...new Set(missing.map((finding) => finding.package))].sort()
  return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install -y --no-install-recommends ${packages.join(' ')}`
}

async function locate(requirement: Requirement): Promise<string | undefined> {
  for (const path of requirement.files ?? []) {
    try {
      await access(path)
      return path
    } catch {
      // look on
    }
  }
  return requirement.files === undefined ? findProgram(requirement.name) : undefined
}

/**
 * Installs what is missing from Debian's packages.
 * @throws KilnError E_TOOL_MISSING where there is no apt-get or no right to use it; E_TOOL_FAILED with apt's output
 */
export async function installMissing(diagnosis: Diagnosis, note: (text: string) => void, signal: AbortSignal): Promise<void> {
  const missing = diagnosis.findings.filter((finding) => finding.found === undefined && !finding.optional)
  if (missing.length === 0) return
  if ((await findProgram('apt-get')) === undefined) {
    throw new KilnError('E_TOOL_MISSING', `this machine has no apt-get; missing: ${missing.map((finding) => finding.name).join(', ')}`, {
      hint: 'install these programs with the package manager of your system',
    })
  }
  const isRoot = process.getuid?.() === 0
  if (!isRoot && (await findProgram('sudo')) === undefined) {
    throw new KilnError('E_TOOL_MISSING', 'installing packages needs root, and there is no sudo', { hint: `as root: ${diagnosis.remedy?.replace(/^sudo /, '') ?? ''}` })
  }
  const packages = [...new Set(missing.map((finding) => finding.package))].sort()
  const apt = (args: readonly string[]): Parameters<typeof run>[0] =>
    isRoot ? { program: 'apt-get', args, env: { DEBIAN_FRONTEND: 'noninteractive' } } : { program: 'sudo', args: ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args] }
  note(`installing from Debian: ${packages.join(' ')}`)
  await run(apt(['-o', 'DPkg::Lock::Timeout=300', 'update']), { signal, what: 'reading the package lists' })
  await run(apt(['-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '--no-install-recommends', ...packages]), {
    signal,
    what: 'installing packages',
    onLine: (line) => (/^(Setting up|Get:)/.test(line) ? note(`  ${line}`) : undefined),
  })
}

/** Free memory and whether the accelerator was probed, for the end of the report. */
export async function machineFacts(): Promise<{ readonly memoryMib: number; readonly availableMib: number }> {
  const text = await readFile('/proc/meminfo', 'utf8')
  const mib = (name: string): number => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024)
  return { memoryMib: mib('MemTotal'), availableMib: mib('MemAvailable') }
}
