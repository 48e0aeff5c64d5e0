/** The stack under measurement: the example's server and image, run by the `kiln` program in a data folder of the benchmark. */
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { pocketClients } from '../../src/app/stack/cloud-clients.ts'
import { cloudStatus } from '../../src/app/cloud/control.ts'
import type { Progress } from '../../src/base/progress.ts'
import type { Clients } from '../../src/client/clients.ts'
import { loadStack } from '../../src/config/load.ts'
import { run } from '../../src/host/exec.ts'
import type { KilnHome } from '../../src/host/home.ts'
import { root } from '../../tools/imports.ts'

export interface BenchStack {
  /** Folder of its config. */
  readonly folder: string
  readonly home: KilnHome
  readonly project: string
  readonly zone: string
  /** Where the server listens in its machine. */
  readonly port: number
  readonly healthPath: string
  /** Runs a verb of `kiln`; gives its result. @throws KilnError with the end of its output */
  kiln(args: readonly string[]): Promise<unknown>
  clients(): Promise<Clients>
}

/** True when this checkout's `kiln` has the verb. */
export async function hasVerb(verb: string, signal: AbortSignal): Promise<boolean> {
  const { stdout } = await run({ program: join(root, 'kiln'), args: ['--help'] }, { what: 'asking kiln for its verbs', signal })
  return new RegExp(String.raw`^\s+${verb}\b`, 'm').test(stdout)
}

const EXAMPLE = join(root, 'examples/moshi')
const IMAGE = 'moshi-srv'
/** Bakes and boots under emulation, on a machine that may be busy. */
const LIMIT_MS = 60 * 60_000

/** One machine that everybody reaches, or two behind a load balancer that are watched for some seconds after each rollout. */
const machines = {
  single: `dev: { image: '${IMAGE}', name: 'bench-vm', machineType: 'e2-small' },`,
  group: `server: { image: '${IMAGE}', machineType: 'e2-small', size: 2, bakeSeconds: 5 },`,
} as const

const configOf = (kind: keyof typeof machines): string => `import { defineStack } from 'kiln'

export default defineStack({
  project: { id: 'bench-deploy', billingAccount: '000000-AAAAAA-BBBBBB' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  package: { source: './server', repository: 'pypi' },
  images: {
    python3: { debian: 'bookworm', packages: ['python3', 'python3-venv', 'python3-waitress'] },
    '${IMAGE}': {
      from: 'python3',
      python: ['moshi-server'],
      files: { './entrypoint.sh': '/opt/moshi/entrypoint.sh' },
      user: 'moshi',
      environment: { MOSHI_STATE_DIR: '/var/lib/moshi' },
      health: { path: '/healthz', port: 8080 },
    },
  },
  ${machines[kind]}
})
`

/** Copies the example, with a config of its own. */
export async function makeStack(options: {
  readonly folder: string
  readonly home: KilnHome
  readonly progress: Progress
  readonly signal: AbortSignal
  readonly kind: keyof typeof machines
}): Promise<BenchStack> {
  const { folder, home, progress, signal } = options
  await cp(EXAMPLE, folder, { recursive: true, filter: (path) => !/__pycache__|\.egg-info|kiln\.lock$/.test(path) })
  await writeFile(join(folder, 'kiln.config.ts'), configOf(options.kind))
  const { config } = await loadStack(folder)
  const image = config.images[IMAGE]
  if (image === undefined || !('health' in image)) throw new Error(`${IMAGE} is not an image with a server`)
  return {
    folder,
    home,
    project: config.project.id,
    zone: config.location.zone,
    port: image.health.port,
    healthPath: image.health.path,
    async kiln(args) {
      const { stdout } = await run(
        { program: join(root, 'kiln'), args: [...args, '--yes', '--json'], cwd: folder, env: { KILN_HOME: home.root } },
        { what: `kiln ${args.join(' ')}`, signal, timeoutMs: LIMIT_MS, onLine: (line) => progress.note(line) },
      )
      return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as unknown
    },
    async clients() {
      const { url } = await cloudStatus(home)
      if (url === undefined) throw new Error('the pocket cloud does not run')
      return pocketClients(home, url)
    },
  }
}

const Vm = z.object({ networkInterfaces: z.array(z.object({ accessConfigs: z.array(z.object({ natIP: z.string() })) })) })

/** The external address of a machine. */
export async function externalAddress(stack: BenchStack, instance: string, signal: AbortSignal): Promise<string> {
  const compute = await (await stack.clients()).compute()
  const { data } = await compute.instances.get({ project: stack.project, zone: stack.zone, instance }, { signal })
  const address = Vm.parse(data).networkInterfaces[0]?.accessConfigs[0]?.natIP
  if (address === undefined) throw new Error(`${instance} has no external address`)
  return address
}
