/** Packer's side: one build of the server image with the `qemu` builder, from the same base disk. */
import { copyFile, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { installMissing } from '../../src/app/doctor.ts'
import type { Progress } from '../../src/base/progress.ts'
import { run } from '../../src/host/exec.ts'
import { exists, findProgram } from '../../src/host/files.ts'
import { asRoot } from '../../src/image/namespace.ts'
import { serverUnit, unitName } from '../../src/image/recipe/server-unit.ts'
import type { Accelerator } from '../../src/vm/accelerator.ts'
import { copyWithAccess, makeKey } from './access.ts'
import type { Prepared } from './kiln.ts'
import { packerTemplate, payloadName, resultDisk } from './packer-template.ts'

/** Programs of the benchmark beside those of Kiln, with the Debian packages that have them. */
const needed = [
  { name: 'packer', package: 'packer', neededBy: 'the peer of the benchmark' },
  { name: 'qemu-img', package: 'qemu-utils', neededBy: 'Packer’s qemu builder' },
  { name: 'ssh-keygen', package: 'openssh-client', neededBy: 'Packer’s way into its machine' },
  { name: 'setpriv', package: 'util-linux', neededBy: 'ending Packer and its machine together' },
] as const

/** Installs Packer from Debian where it is missing. Returns its version. @throws KilnError E_TOOL_MISSING, E_TOOL_FAILED */
export async function requirePacker(progress: Progress, signal: AbortSignal): Promise<string> {
  const findings = await Promise.all(needed.map(async (tool) => ({ ...tool, found: await findProgram(tool.name), optional: false })))
  const missing = findings.filter((finding) => finding.found === undefined)
  const remedy = missing.length === 0 ? undefined : `apt-get install -y --no-install-recommends ${missing.map((finding) => finding.package).join(' ')}`
  await installMissing({ ok: missing.length === 0, findings, remedy }, (text) => progress.note(text), signal)
  const { stdout } = await run({ program: 'packer', args: ['version'], env: { CHECKPOINT_DISABLE: '1' } }, { what: 'asking Packer for its version', signal })
  return /v([\d.]+)/.exec(stdout)?.[1] ?? stdout.trim()
}

export interface PackerBuild {
  /** Wall time of the whole `packer build`. */
  readonly durationMs: number
  /** Parts of it, by what Packer said and when. */
  readonly stages: readonly { readonly stage: string; readonly durationMs: number }[]
  readonly disk: string
}

export interface PackerSide {
  build(): Promise<PackerBuild>
}

/** Makes what Packer finds ready: the base disk with a key, the files to upload. Not measured. */
export async function openPackerSide(prepared: Prepared, accelerator: Accelerator, folder: string, progress: Progress, signal: AbortSignal): Promise<PackerSide> {
  const { spec, wheel } = prepared
  const privateKey = await makeKey(folder, signal)
  const disk = join(folder, 'base.raw')
  await copyWithAccess(prepared.baseDisk, disk, privateKey, folder, signal)
  const payload = join(folder, 'payload')
  await mkdir(payload)
  await copyFile(wheel.path, join(payload, basename(wheel.path)))
  await writeFile(join(payload, unitName(spec.name)), serverUnit(spec))
  for (const [index, file] of spec.files.entries()) await copyFile(file.source, join(payload, payloadName(index)))
  const firmware = await findFirmware()

  return {
    async build() {
      const work = await mkdtemp(join(folder, 'packer-'))
      const firmwareVars = join(work, 'vars.fd')
      await copyFile(firmware.vars, firmwareVars)
      const outputFolder = join(work, 'output')
      const template = join(work, 'template.json')
      const input = { spec, disk, diskSizeBytes: prepared.baseSizeBytes, privateKey, firmwareCode: firmware.code, firmwareVars, accelerator, outputFolder, payload }
      await writeFile(template, JSON.stringify(packerTemplate(input), undefined, 2))
      const env = { HOME: work, TMPDIR: work, PACKER_CONFIG_DIR: work, PACKER_CACHE_DIR: join(work, 'cache'), CHECKPOINT_DISABLE: '1' }
      // In a process namespace of its own: however this ends, Packer, its plugins and its machine end with it.
      const command = asRoot({ program: 'packer', args: ['build', '-color=false', template], cwd: work, env })
      const clock = stageClock()
      await run(command, {
        what: 'packer build',
        signal,
        killSignal: 'SIGKILL',
        onLine(line) {
          clock.line(line)
          if (line.startsWith('==>')) progress.note(`packer: ${line.slice(4)}`)
        },
      })
      return { ...clock.end(), disk: join(outputFolder, resultDisk) }
    },
  }
}

/** What Packer says when a stage ends. */
const stageEnds = [
  { pattern: /Waiting for SSH to become available/, stage: 'copy the disk, start QEMU' },
  { pattern: /Connected to SSH/, stage: 'boot until SSH answers' },
  { pattern: /Gracefully halting virtual machine/, stage: 'upload and provision' },
] as const

function stageClock(): { line(text: string): void; end(): Pick<PackerBuild, 'durationMs' | 'stages'> } {
  const start = performance.now()
  let last = start
  const stages: { stage: string; durationMs: number }[] = []
  const close = (stage: string): void => {
    const now = performance.now()
    stages.push({ stage, durationMs: Math.round(now - last) })
    last = now
  }
  return {
    line(text) {
      const found = stageEnds.find(({ pattern, stage }) => pattern.test(text) && !stages.some((each) => each.stage === stage))
      if (found !== undefined) close(found.stage)
    },
    end() {
      close('power off, finish')
      return { durationMs: Math.round(last - start), stages }
    },
  }
}

async function findFirmware(): Promise<{ readonly code: string; readonly vars: string }> {
  for (const size of ['_4M', '']) {
    const [code, vars] = [`/usr/share/OVMF/OVMF_CODE${size}.fd`, `/usr/share/OVMF/OVMF_VARS${size}.fd`]
    if ((await exists(code)) && (await exists(vars))) return { code, vars }
  }
  throw new Error('the UEFI firmware is missing (Debian package ovmf)')
}
