/**
 * The server's own layer: account, virtual environment with the wheels of the private index, files, unit. pip runs inside the image's
 * root with that index as its only source; it is brought in for the run and is not in the image.
 */
import { copyFile, chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { exists } from '../../host/files.ts'
import { run } from '../../host/exec.ts'
import type { Command } from '../../host/exec.ts'
import { SOURCE_DATE_EPOCH, asRoot, insideRoot } from '../namespace.ts'
import type { RootStack } from '../namespace.ts'
import { serversFolder } from '../recipe/warm-start.ts'
import { SERVER_UID, serverFolder, serverUnit, unitName } from '../recipe/server-unit.ts'
import type { ImageSpec, PrivateIndex, ServerImageSpec } from '../types.ts'
import { indexEnvironment, writeTrust } from './index-access.ts'
import type { BakeStep } from './step.ts'

/** pip as a builder root has it. */
export interface PipSource {
  /** Folder of this machine: the package `pip` itself, or the one with the wheels. */
  readonly folder: string
  /** Names of the wheels that make up pip; empty: `folder` is the package. */
  readonly wheels: readonly string[]
}

export interface ServerRootContext {
  readonly spec: ServerImageSpec
  readonly root: RootStack
  /** An existing private folder of this machine: requirements and credentials, gone after the step. */
  readonly scratch: string
  /** Needed when the spec has wheels. */
  readonly pip: PipSource | undefined
  readonly index: PrivateIndex | undefined
}

const inside = { scratch: '/run/kiln/scratch', pip: '/run/kiln/pip' }

export const serverRoot: BakeStep<ServerRootContext, void> = {
  name: 'server root',
  inputs: ({ spec }) => ({ unit: serverUnit(spec) }),
  plan: (context) => [...accountCommands(context), ...pythonCommands(context), ...finishCommands(context)],
  async run(context, signal) {
    const { spec, index, scratch } = context
    const options = { killSignal: 'SIGKILL' as const, ...(signal === undefined ? {} : { signal }) }
    for (const command of accountCommands(context)) await run(command, { ...options, what: `making the account ${spec.user}` })
    if (spec.wheels.length > 0) {
      if (index === undefined) throw new KilnError('E_BAKE', `image ${spec.name} has Python packages, and no private index was given`)
      await writeFile(join(scratch, 'requirements.txt'), spec.wheels.map(({ name, version, sha256 }) => `${name}==${version} --hash=sha256:${sha256}\n`).join(''))
      await writeFile(join(scratch, 'netrc'), `machine ${new URL(index.url).hostname}\nlogin oauth2accesstoken\npassword ${await index.accessToken()}\n`, { mode: 0o600 })
      await writeFile(join(scratch, 'check.py'), checkScript)
      await writeTrust(index.url, scratch)
      for (const command of pythonCommands(context))
        await run(command, { ...options, what: `installing Python packages for ${spec.name}` }).catch(async (error: unknown) =>
          Promise.reject(await explainPip(error, spec, index)),
        )
    }
    await placeFiles(context)
    for (const command of finishCommands(context)) await run(command, { ...options, what: `finishing ${spec.name}` })
  },
  async verify({ spec, root }) {
    const stack = spec.entrypoint.startsWith(`${serverFolder(spec.name)}/venv/`) || spec.files.some(({ path }) => path === spec.entrypoint)
    const found = await Promise.all([root.writable?.upper ?? '', ...root.layers].map((layer) => exists(join(root.cwd, layer, spec.entrypoint))))
    if (!found.includes(true)) {
      throw new KilnError('E_BAKE', `image ${spec.name} starts ${spec.entrypoint}, which is not in it`, {
        hint: stack
          ? 'check the console script in pyproject.toml and the file list in kiln.config.ts'
          : 'put the file into `files` of the image, or name a console script of the package',
      })
    }
  },
}

function accountCommands({ spec, root }: ServerRootContext): Command[] {
  if (hasAccount(spec.from, spec.user)) return []
  const args = ['--system', '--uid', String(serverUid(spec)), '--user-group', '--no-create-home', '--home-dir', `/var/lib/${spec.user}`, '--shell', '/usr/sbin/nologin', spec.user]
  return [insideRoot(root, 'useradd', args, { network: false })]
}

/** True when an image below has made this account. */
export function hasAccount(spec: ImageSpec, user: string): boolean {
  return spec.type === 'server' && (spec.user === user || hasAccount(spec.from, user))
}

/** One account per level, so that a server image on another one does not take its files over. */
export function serverUid(spec: ServerImageSpec): number {
  return spec.from.type === 'base' ? SERVER_UID : serverUid(spec.from) + 1
}

function pythonCommands(context: ServerRootContext): Command[] {
  const { spec, root, scratch, pip, index } = context
  if (spec.wheels.length === 0 || index === undefined || pip === undefined) return []
  const fromWheels = pip.wheels.length > 0
  const venv = `${serverFolder(spec.name)}/venv`
  const options = {
    binds: { [scratch]: inside.scratch, [pip.folder]: fromWheels ? inside.pip : `${inside.pip}/pip` },
    env: {
      PYTHONPATH: fromWheels ? pip.wheels.map((name) => `${inside.pip}/${name}`).join(':') : inside.pip,
      NETRC: `${inside.scratch}/netrc`,
      HOME: inside.scratch,
      PYTHONDONTWRITEBYTECODE: '1',
      ...indexEnvironment(index.url, inside.scratch),
    },
  }
  return [
    insideRoot(root, 'sh', ['-c', installScript, 'kiln', venv, index.url], { ...options, network: true }),
    insideRoot(root, 'sh', ['-c', finishScript, 'kiln', venv, ...spec.wheels.map(({ name }) => name)], { ...options, network: false }),
  ]
}

/** What comes before code of the wheels can run, in one visit to the root, since each visit has its price. $1 virtual environment, $2 index. */
export const installScript = `set -eu
venv=$1 index=$2
python3 -m venv --system-site-packages --without-pip "$venv"
exec "$venv/bin/python3" -m pip --isolated --disable-pip-version-check --no-input --no-cache-dir install --no-compile --no-deps --no-warn-script-location \\
  --only-binary :all: --require-hashes --index-url "$index" -r ${inside.scratch}/requirements.txt
`

/** From here on Python's start may run code of the wheels (.pth files), so there is no network. $1 virtual environment, then the packages' names. */
export const finishScript = `set -eu
venv=$1
shift
"$venv/bin/python3" ${inside.scratch}/check.py "$@"
exec "$venv/bin/python3" -m compileall -q -f --invalidation-mode unchecked-hash "$venv"
`

/** Says which dependencies of the given packages are neither in Debian's packages nor among the wheels. */
const checkScript = `import sys
from importlib import metadata
try:
    from pip._vendor.packaging.requirements import Requirement
except ImportError:
    from packaging.requirements import Requirement
missing = []
for name in sys.argv[1:]:
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing.append(f"{name} needs {requirement}, which is not in the image")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{name} needs {requirement}, and the image has {version}")
if missing:
    sys.exit("KILN-MISSING\\n" + "\\n".join(missing))
`

async function explainPip(error: unknown, spec: ServerImageSpec, index: PrivateIndex): Promise<unknown> {
  if (!(error instanceof KilnError) || error.code !== 'E_TOOL_FAILED') return error
  const detail = error.detail ?? ''
  const [, missing] = detail.split('KILN-MISSING\n')
  if (missing !== undefined) {
    return new KilnError('E_BAKE', `image ${spec.name} lacks Python dependencies: ${missing.trim().split('\n').join('; ')}`, {
      hint: 'add the Debian packages that have them to `packages` of the image, or publish them to the private index and add them to `python`',
      detail,
    })
  }
  if (/do not match the hashes|HASHES.*MISMATCH/i.test(detail))
    return new KilnError('E_BAKE', `the private index serves other bytes than kiln.lock says for image ${spec.name}`, {
      hint: 'publish the package under a new version',
      detail,
      cause: error,
    })
  if (/40[13] (Client )?Error/.test(detail) || (await refuses(spec, index)))
    return new KilnError('E_PERMISSION', `the private index ${index.url} refused the token for image ${spec.name}`, {
      hint: 'the baking account needs roles/artifactregistry.reader on the repository',
      detail,
      cause: error,
    })
  if (/Connection refused|Failed to establish a new connection|Name or service not known|Temporary failure in name resolution/.test(detail))
    return new KilnError('E_NETWORK', `the private index ${index.url} could not be reached`, { detail, cause: error })
  if (/python3: not found|venv: not found|No such file or directory.*python3|python3.*No such file/.test(detail))
    return new KilnError('E_BAKE', `image ${spec.name} has no Python`, { hint: 'add python3 to the packages of the image or of its base', detail, cause: error })
  return new KilnError('E_BAKE', `installing Python packages for image ${spec.name} failed`, {
    hint: 'the packages and versions must be in the private index as wheels for this Debian’s Python',
    detail,
    cause: error,
  })
}

/** True when the index itself says 401 or 403: pip reports a page that it may not read as a package that does not exist. */
async function refuses(spec: ServerImageSpec, index: PrivateIndex): Promise<boolean> {
  const authorization = `Basic ${Buffer.from(`oauth2accesstoken:${await index.accessToken()}`).toString('base64')}`
  const page = new URL(`${spec.wheels[0]?.name ?? ''}/`, index.url.endsWith('/') ? index.url : `${index.url}/`)
  const answer = await fetch(page, { headers: { authorization }, signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
  await answer?.body?.cancel()
  return answer?.status === 401 || answer?.status === 403
}

/** The image's files and unit, written into the upper layer by this process, which owns what root owns in it. */
async function placeFiles({ spec, root }: ServerRootContext): Promise<void> {
  const upper = join(root.cwd, root.writable?.upper ?? '')
  for (const file of spec.files) {
    const path = join(upper, file.path)
    await mkdir(dirname(path), { recursive: true, mode: 0o755 })
    await copyFile(file.source, path)
    await chmod(path, file.mode)
  }
  const units = join(upper, 'etc/systemd/system')
  await mkdir(join(units, 'multi-user.target.wants'), { recursive: true, mode: 0o755 })
  await writeFile(join(units, unitName(spec.name)), serverUnit(spec), { mode: 0o644 })
  await mkdir(join(upper, serversFolder), { recursive: true, mode: 0o755 })
  await writeFile(join(upper, serversFolder, spec.name), `${spec.port}\n`, { mode: 0o644 })
  await symlink(`/etc/systemd/system/${unitName(spec.name)}`, join(units, 'multi-user.target.wants', unitName(spec.name)))
}

function finishCommands({ root }: ServerRootContext): Command[] {
  const upper = join(root.cwd, root.writable?.upper ?? '')
  const leftovers = ['etc/passwd-', 'etc/group-', 'etc/shadow-', 'etc/gshadow-', 'etc/subuid-', 'etc/subgid-', 'etc/.pwd.lock', 'var/log', 'root/.cache', 'tmp', 'run']
  return [
    asRoot({ program: 'rm', args: ['-rf', '--', ...leftovers.map((path) => join(upper, path))] }),
    asRoot({ program: 'find', args: [upper, '-exec', 'touch', '--no-dereference', '-d', `@${SOURCE_DATE_EPOCH}`, '{}', '+'] }),
  ]
}
