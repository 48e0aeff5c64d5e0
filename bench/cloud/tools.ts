/**
 * The programs of the cloud benchmark beside Kiln. wrk and nginx are Debian's: those of the machine where they are installed, else unpacked from
 * their packages into a cache folder, since installing nginx would start it as a service. fake-gcs-server is built from its Go module.
 */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describeError } from '../../src/base/errors.ts'
import type { Progress } from '../../src/base/progress.ts'
import { run } from '../../src/host/exec.ts'
import { exists, findProgram } from '../../src/host/files.ts'

export interface Program {
  readonly program: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Tools {
  readonly wrk: Program
  readonly nginx: Program & { readonly version: string }
  readonly fakeGcs: (Program & { readonly version: string }) | { readonly skipped: string }
}

const FAKE_GCS = { module: 'github.com/fsouza/fake-gcs-server', version: 'v1.56.1' } as const
/** The libraries that wrk needs and a machine may not have; the others belong to every Debian. */
const PACKAGES = ['nginx', 'wrk', 'libluajit-5.1-2', 'libluajit-5.1-common'] as const

/** @throws KilnError E_TOOL_FAILED when Debian's packages cannot be had */
export async function findTools(progress: Progress, signal: AbortSignal, wanted: { readonly fakeGcs: boolean } = { fakeGcs: true }): Promise<Tools> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kiln', 'bench')
  await mkdir(cache, { recursive: true })
  const { nginx, wrk } = await debianTools(cache, progress, signal)
  // nginx says it on stderr.
  const { stderr } = await run({ ...nginx, args: ['-v'] }, { what: 'asking nginx for its version', signal })
  return {
    wrk,
    nginx: { ...nginx, version: /nginx\/([\d.]+)/.exec(stderr)?.[1] ?? 'unknown' },
    fakeGcs: wanted.fakeGcs ? await fakeGcsServer(cache, progress, signal) : { skipped: 'not asked for' },
  }
}

async function debianTools(cache: string, progress: Progress, signal: AbortSignal): Promise<{ readonly nginx: Program; readonly wrk: Program }> {
  const [nginx, wrk] = [(await findProgram('nginx')) ?? (await onlyIf('/usr/sbin/nginx')), await findProgram('wrk')]
  if (nginx !== undefined && wrk !== undefined) return { nginx: { program: nginx }, wrk: { program: wrk } }
  const folder = join(cache, 'debian')
  if (!(await exists(folder))) {
    progress.note('unpacking nginx and wrk from their Debian packages')
    await filled(folder, async (work) => {
      await run({ program: 'apt-get', args: ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...PACKAGES], cwd: work }, { what: 'downloading nginx and wrk', signal })
      for (const file of (await readdir(work)).filter((name) => name.endsWith('.deb'))) {
        await run({ program: 'dpkg-deb', args: ['-x', file, '.'], cwd: work }, { signal })
        await rm(join(work, file))
      }
    })
  }
  const libraries = (await readdir(join(folder, 'usr', 'lib'))).map((name) => join(folder, 'usr', 'lib', name)).join(':')
  return { nginx: { program: join(folder, 'usr/sbin/nginx') }, wrk: { program: join(folder, 'usr/bin/wrk'), env: { LD_LIBRARY_PATH: libraries } } }
}

async function fakeGcsServer(cache: string, progress: Progress, signal: AbortSignal): Promise<Tools['fakeGcs']> {
  const { module, version } = FAKE_GCS
  const folder = join(cache, `fake-gcs-server-${version}`)
  const built = { program: join(folder, 'fake-gcs-server'), version: version.slice(1) }
  if (await exists(built.program)) return built
  if ((await findProgram('go')) === undefined) return { skipped: 'Go is not installed here' }
  progress.note(`building fake-gcs-server ${version} from its Go module`)
  try {
    await filled(folder, async (work) => {
      // Nothing stays but the program.
      const env = {
        GOPATH: join(work, 'go'),
        GOMODCACHE: join(work, 'go/pkg/mod'),
        GOCACHE: join(work, 'cache'),
        GOBIN: work,
        GOFLAGS: '-modcacherw',
        GOWORK: 'off',
        CGO_ENABLED: '0',
      }
      await run({ program: 'nice', args: ['-n', '19', 'go', 'install', `${module}@${version}`], cwd: work, env }, { what: 'building fake-gcs-server', signal })
      await Promise.all(['go', 'cache'].map((name) => rm(join(work, name), { recursive: true, force: true })))
    })
    return built
  } catch (error) {
    signal.throwIfAborted()
    return { skipped: `it could not be built from its Go module: ${describeError(error)}` }
  }
}

/** Makes a folder whole or not at all. */
async function filled(folder: string, fill: (work: string) => Promise<void>): Promise<void> {
  const work = await mkdtemp(`${folder}-`)
  try {
    await fill(work)
    await rename(work, folder)
  } catch (error) {
    await rm(work, { recursive: true, force: true })
    throw error
  }
}

async function onlyIf(path: string): Promise<string | undefined> {
  return (await exists(path)) ? path : undefined
}
