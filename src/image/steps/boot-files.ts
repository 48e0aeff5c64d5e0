/**
 * The EFI system partition: one unified kernel image (stub, kernel, small initial RAM disk, command line) at the path that firmware
 * starts by itself. It depends on the base image alone, so server images reuse it.
 */
import { readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { exists } from '../../host/files.ts'
import { run } from '../../host/exec.ts'
import type { Command } from '../../host/exec.ts'
import { cpioArchive } from '../../vm/cpio.ts'
import type { CpioFile } from '../../vm/cpio.ts'
import { findKernel } from '../kernel-modules.ts'
import { SOURCE_DATE_EPOCH, bakeEnvironment } from '../namespace.ts'
import { SECTOR_BYTES, diskLayout, earlyModules, initScript, kernelCommandLine } from '../recipe/disk-layout.ts'
import { appendSections } from '../unified-kernel.ts'
import type { BakeStep } from './step.ts'

export interface BootFilesContext {
  /** The root tree with kernel, modules, busybox and EFI stub. */
  readonly tree: string
  /** The folder with vmlinuz. */
  readonly boot: string
  /** An existing folder that gets `esp.img`. */
  readonly outFolder: string
}

export const bootFiles: BakeStep<BootFilesContext, string> = {
  name: 'boot files',
  inputs: () => ({ 'kernel command line': kernelCommandLine, 'early modules': earlyModules.join(' '), init: initScript }),
  plan: ({ outFolder }) => espCommands(join(outFolder, 'esp.img.part'), join(outFolder, 'BOOTX64.EFI')),
  async run(context, signal) {
    const image = await unifiedKernel(context)
    await writeFile(join(context.outFolder, 'BOOTX64.EFI'), image)
    const part = join(context.outFolder, 'esp.img.part')
    await writeFile(part, '')
    await truncate(part, diskLayout.esp.sizeBytes)
    for (const command of this.plan(context)) await run(command, { what: 'making the EFI system partition', ...(signal === undefined ? {} : { signal }) })
    await rename(part, join(context.outFolder, 'esp.img'))
    return join(context.outFolder, 'esp.img')
  },
  async verify(_context, result) {
    const listing = await run({ program: 'mdir', args: ['-b', '-/', '-i', result, '::'], env: mtoolsEnvironment, cleanEnv: true })
    if (!listing.stdout.includes('/EFI/BOOT/BOOTX64.EFI')) throw new KilnError('E_BAKE', 'the EFI system partition has no boot program', { detail: listing.stdout })
  },
}

const mtoolsEnvironment = { ...bakeEnvironment, MTOOLS_SKIP_CHECK: '1' }

function espCommands(image: string, program: string): Command[] {
  const env = mtoolsEnvironment
  const sectors = String(diskLayout.esp.sizeBytes / SECTOR_BYTES)
  return [
    { program: 'mformat', args: ['-i', image, '-T', sectors, '-h', '64', '-s', '32', '-N', diskLayout.esp.serial, '-v', 'KILN', '::'], env, cleanEnv: true },
    { program: 'mmd', args: ['-i', image, '::/EFI', '::/EFI/BOOT'], env, cleanEnv: true },
    { program: 'touch', args: ['-d', `@${SOURCE_DATE_EPOCH}`, program], env, cleanEnv: true },
    { program: 'mcopy', args: ['-m', '-i', image, program, '::/EFI/BOOT/BOOTX64.EFI'], env, cleanEnv: true },
  ]
}

async function unifiedKernel(context: BootFilesContext): Promise<Buffer> {
  const kernel = await findKernel(context.tree, earlyModules, context.boot)
  const stub = join(context.tree, 'usr/lib/systemd/boot/efi/linuxx64.efi.stub')
  if (!(await exists(stub))) throw new KilnError('E_BAKE', 'the image has no systemd EFI stub')
  return appendSections(await readFile(stub), [
    { name: '.osrel', data: await readFile(join(context.tree, 'usr/lib/os-release')) },
    { name: '.cmdline', data: Buffer.from(`${kernelCommandLine}\0`) },
    { name: '.uname', data: Buffer.from(kernel.release) },
    { name: '.initrd', data: cpioArchive(await initrdEntries(context.tree, kernel.release, kernel.modules)) },
    { name: '.linux', data: await readFile(join(context.boot, basename(kernel.vmlinuz))) },
  ])
}

async function initrdEntries(tree: string, release: string, modules: readonly string[]): Promise<CpioFile[]> {
  const files: CpioFile[] = []
  for (const file of modules) files.push({ path: `modules.d/${plainName(file)}`, mode: 0o644, data: await readModule(join(tree, 'usr/lib/modules', release, file)) })
  return [
    ...['bin', 'dev', 'modules.d', 'proc', 'root', 'sys'].map((path) => ({ path, mode: 0o755 })),
    { path: 'bin/busybox', mode: 0o755, data: await readFile(join(tree, 'usr/bin/busybox')).catch(() => readFile(join(tree, 'bin/busybox'))) },
    { path: 'init', mode: 0o755, data: Buffer.from(initScript) },
    { path: 'modules', mode: 0o644, data: Buffer.from(modules.map((file) => `${plainName(file)}\n`).join('')) },
    ...files,
  ]
}

function plainName(file: string): string {
  return basename(file).replace(/\.xz$/, '')
}

async function readModule(path: string): Promise<Buffer> {
  if (!path.endsWith('.xz')) return readFile(path)
  // Trixie's kernels have compressed modules, which busybox cannot load.
  const result = await run({ program: 'sh', args: ['-c', 'xz -dc -- "$1" | base64 -w0', 'kiln', path] }, { what: 'unpacking a kernel module' })
  return Buffer.from(result.stdout, 'base64')
}
