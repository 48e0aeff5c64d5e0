/** Runs the real command line in tests: its own data folder, its own copy of the example. */
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/imports.ts'

export interface KilnResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  /** The last line of stdout, parsed; {} when it is no JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at results freely
  readonly json: any
}

export interface Workplace {
  /** KILN_HOME. */
  readonly home: string
  /** A copy of examples/moshi. */
  readonly stack: string
  kiln(args: readonly string[], options?: { readonly onLine?: (line: string, pid: number) => void; readonly input?: string }): Promise<KilnResult>
  /** Command lines of QEMU processes that belong to this data folder. */
  machines(): Promise<readonly { readonly pid: number; readonly commandLine: string }[]>
  /** The same without those of which memory snapshots are made, which come and go. */
  instances(): Promise<readonly { readonly pid: number; readonly commandLine: string }[]>
  /** Ends everything of this data folder and removes it. */
  remove(): Promise<void>
}

export interface WorkplaceOptions {
  /** Keep the example's section `server`: a group behind a load balancer, instead of the dev VM alone. */
  readonly group?: boolean
  /** Use what earlier test files baked (layers, wheels, disks by key), where the run has a folder for that. Imports and boot tests are its own. */
  readonly sharedCache?: boolean
}

/** A fresh data folder and a copy of the example; without its group, which most tests would only wait for. */
export async function createWorkplace(choice: WorkplaceOptions = {}): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-e2e-'))
  const home = join(folder, 'home')
  const stack = join(folder, 'moshi')
  await cp(join(root, 'examples/moshi'), stack, { recursive: true })

  const cache = process.env['KILN_TEST_CACHE']
  if (choice.sharedCache === true && cache !== undefined) {
    await mkdir(cache, { recursive: true })
    await mkdir(home)
    await symlink(cache, join(home, 'cache'))
  }

  if (choice.group !== true) {
    const config = join(stack, 'kiln.config.ts')
    const text = await readFile(config, 'utf8')
    const alone = text.replace(/\n {2}server: \{[\s\S]*?\n {2}\},\n/, '\n')
    if (alone === text && text.includes('\n  server:')) throw new Error('the example has no section `server` of the form that tests take away')
    await writeFile(config, alone)
  }

  async function kiln(args: readonly string[], options: { readonly onLine?: (line: string, pid: number) => void } = {}): Promise<KilnResult> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'src/cli/main.ts'), ...args], {
        cwd: stack,
        env: { ...process.env, KILN_HOME: home, NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let stdout = ''
      let stderr = ''
      let line = ''
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString()
        line += chunk.toString()
        const lines = line.split('\n')
        line = lines.pop() ?? ''
        for (const each of lines) options.onLine?.(each, child.pid ?? 0)
      })
      child.once('error', reject)
      child.once('close', (code) => resolve({ exitCode: code ?? 137, stdout, stderr, json: lastJson(stdout) }))
    })
  }

  async function machines(): Promise<{ pid: number; commandLine: string }[]> {
    const found: { pid: number; commandLine: string }[] = []
    for (const name of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
      const commandLine = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
      if (/qemu-system/.test(commandLine.split(' ')[0] ?? '') && commandLine.includes(home)) found.push({ pid: Number(name), commandLine })
    }
    return found
  }

  return {
    home,
    stack,
    kiln,
    machines,
    instances: async () => (await machines()).filter(({ commandLine }) => !commandLine.includes('guest=snapshot-')),
    async remove() {
      await kiln(['cloud', 'reset', '--yes'])
      for (const machine of await machines()) process.kill(machine.pid, 'SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function lastJson(stdout: string): unknown {
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as unknown
  } catch {
    return {}
  }
}
