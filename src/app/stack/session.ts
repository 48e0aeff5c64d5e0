/** A stack, ready to be planned: config, running cloud, clients, baker, desired resources, engine. The one place where these are wired together. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { silentProgress } from '../../base/progress.ts'
import type { Progress } from '../../base/progress.ts'
import type { Clients } from '../../client/clients.ts'
import { compileStack } from '../../compile/compile.ts'
import { servingOf } from '../../compile/serving.ts'
import type { Serving } from '../../compile/serving.ts'
import { loadStack } from '../../config/load.ts'
import type { LoadedStack } from '../../config/load.ts'
import { accountWithRole } from '../../config/accounts.ts'
import { isServerImage, needsPacker } from '../../config/schema.images.ts'
import type { Engine } from '../../engine/engine.ts'
import { openInventory } from '../../engine/inventory.ts'
import type { DesiredResource, EngineEvent } from '../../engine/types.ts'
import type { KilnHome } from '../../host/home.ts'
import { createBaker } from '../../image/baker.ts'
import type { BakeResult } from '../../image/baker.ts'
import type { KeyInputs } from '../../image/types.ts'
import { normalizeName, readProject, sourceDigest } from '../../image/python-project.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { serviceAccountEmail } from '../../resources/service-account/resource.ts'
import { ownedByTerraform } from '../gcp/owned-kind.ts'
import { createPackerParts } from '../gcp/packer-parts.ts'
import { imageKind } from '../kinds/image.ts'
import { offlineMaker } from '../kinds/image-offline.ts'
import { packerMaker } from '../kinds/image-packer.ts'
import { pythonPackageKind, repositoryUrl } from '../kinds/python-package.ts'
import { releaseKind } from '../kinds/release.ts'
import { releaseLedgerKind } from '../kinds/release-ledger.ts'
import { createRollout, defaultRequest } from '../delivery/rollout.ts'
import type { SessionRollout } from '../delivery/rollout.ts'
import type { RolloutRequest } from '../delivery/context.ts'
import { openBakeQueue } from './bake-queue.ts'
import type { BakeQueue } from './bake-queue.ts'
import { inventoryName, openCloud } from './cloud.ts'
import type { StackCloud, Target } from './cloud.ts'
import { readFacts } from './facts.ts'
import { createImageParts } from './image-parts.ts'
import { readImageSpecs } from './image-specs.ts'
import type { ImageSpecs } from './image-specs.ts'
import { readPackageMemo, writePackageMemo } from './package-memo.ts'

export interface SessionOptions {
  readonly home: KilnHome
  /** Folder of kiln.config.ts. */
  readonly dir: string
  readonly signal: AbortSignal
  readonly onEvent?: (event: EngineEvent) => void
  readonly note: (text: string) => void
  /** Default: the pocket cloud of the data folder. */
  readonly target?: Target
  /** In place of the target's own. */
  readonly cloud?: StackCloud
  /** Bake every layer anew. */
  readonly noCache?: boolean
  /** Resolve all Debian packages again. */
  readonly updateLock?: boolean
  /** How a release goes out that the run makes. Default: as the config says. */
  readonly rollout?: RolloutRequest
}

export interface StackSession {
  readonly home: KilnHome
  readonly stack: LoadedStack
  /** The project's id: the key of inventory and lease. */
  readonly name: string
  readonly target: Target
  /** What people are told of the cloud. */
  readonly url: string
  readonly clients: Clients
  readonly queue: BakeQueue
  readonly specs: ImageSpecs
  readonly engine: Engine<Clients>
  readonly desired: readonly DesiredResource[]
  readonly packageName: string | undefined
  readonly packageVersion: string | undefined
  /** What serves the stack; undefined when the config has no section `server`. */
  readonly serving: Serving | undefined
  /** The deployer of the stack's group. */
  readonly rollout: SessionRollout
  /** Bakes an image from nothing and imports nothing; the wheels are those that are published. */
  rebake(family: string, progress: Progress): Promise<BakeResult>
  close(): void
}

/** The published wheel, as the inventory remembers it. */
const LockedWheelAttributes = z.object({ name: z.string(), version: z.string(), fileName: z.string(), sha256: z.string() })

/** On the pocket cloud whoever rolls out asks from this machine. */
const LOOPBACK: readonly string[] = ['127.0.0.1/32']

interface SourcePackage {
  readonly name: string
  readonly version: string
  readonly digest: string
  readonly builtSha256: string | undefined
}

/**
 * Opens a stack on its cloud; the pocket cloud is started if it does not run.
 * @throws KilnError of the config, the package, the lock file or the cloud's start
 */
export async function openSession(options: SessionOptions): Promise<StackSession> {
  const { home, signal } = options
  const stack = await loadStack(options.dir)
  const name = stack.config.project.id
  const specs = await readImageSpecs(stack)
  const baker = createBaker({ home })
  const queue = await openBakeQueue(baker, stack.dir)
  if (options.updateLock === true) queue.unpin()
  const source = await readSource(options, stack, specs, queue)
  const cloud = options.cloud ?? (await openCloud(options))
  const { clients } = cloud
  const compiled = compileStack(stack.config, {
    ...(await readFacts(stack, signal)),
    ...(cloud.target === 'pocket' ? { operatorRanges: LOOPBACK } : {}),
    ...(source === undefined ? {} : { packageName: source.name }),
  })
  const inventory = openInventory(home, inventoryName(name, cloud.target))
  const repository = { project: name, location: stack.config.location.region, repository: stack.config.package.repository }
  const sourceDir = resolve(stack.dir, stack.config.package.source)
  const token = (role: string): (() => Promise<string>) => {
    const accountId = accountWithRole(stack.config, role)
    return accountId === undefined ? clients.accessToken : cloud.accountToken(serviceAccountEmail({ projectId: name, accountId }))
  }

  const packageKind = pythonPackageKind({
    wantedVersion: source?.version ?? '',
    uploadToken: token('roles/artifactregistry.writer'),
    async build(progress, buildSignal) {
      const wheel = await queue.buildWheel(sourceDir, specs.builder(), { progress, signal: buildSignal })
      await writePackageMemo(home, name, { sourceDigest: wheel.sourceDigest, name: wheel.name, version: wheel.version, sha256: wheel.sha256, fileName: wheel.fileName })
      return wheel
    },
  })
  const index = { url: clients.transport.url(`${repositoryUrl(repository)}simple/`), accessToken: token('roles/artifactregistry.reader') }
  const lastInputs = new Map<string, KeyInputs>()
  for (const family of specs.families) {
    const inputs = await baker.lastInputs(family)
    if (inputs !== undefined) lastInputs.set(family, inputs)
  }
  const health = (family: string): ReturnType<typeof healthOf> => healthOf(stack, family)
  const offline = offlineMaker(
    createImageParts({
      home,
      specs,
      queue,
      lastInputs,
      ...(options.noCache === undefined ? {} : { noCache: options.noCache }),
      health,
      index,
    }),
  )
  const byPacker = cloud.target === 'gcp' && needsPacker(stack.config.images) ? packerMaker(await createPackerParts({ home, stack, specs, queue, health, signal })) : offline
  const images = imageKind((family) => (stack.config.images[family]?.engine === 'packer' ? byPacker : offline))
  const rollout = createRollout({ home, stack, clients, signal, note: options.note, request: options.rollout ?? defaultRequest(), isRemote: cloud.target === 'gcp' })
  return {
    home,
    stack,
    name,
    target: cloud.target,
    url: cloud.url,
    clients,
    queue,
    specs,
    packageName: source?.name,
    packageVersion: source?.version,
    serving: servingOf(stack.config),
    rollout,
    desired: withSource(stack, compiled, source),
    engine: {
      stack: name,
      kinds: [
        ...[...resourceKinds.values()].map(({ kind }) => (cloud.target === 'gcp' ? ownedByTerraform(kind) : kind)),
        packageKind,
        images,
        releaseLedgerKind,
        releaseKind(rollout),
      ],
      clients,
      inventory,
      signal,
      ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    },
    async rebake(family, progress) {
      const row = source === undefined ? undefined : inventory.get(`python-package/${source.name}`)
      const wheels = row?.attributes === undefined ? [] : [LockedWheelAttributes.parse(row.attributes)]
      return queue.bake(specs.spec(family, wheels), index, { progress, signal, noCache: true })
    },
    close: () => inventory.close(),
  }
}

/** What the source says it is. A version that only the build knows (PEP 621 `dynamic`) is asked of a build. */
async function readSource(options: SessionOptions, stack: LoadedStack, specs: ImageSpecs, queue: BakeQueue): Promise<SourcePackage | undefined> {
  const wanted = Object.values(stack.config.images).some((image) => isServerImage(image) && image.python.length > 0)
  if (!wanted) return undefined
  const source = resolve(stack.dir, stack.config.package.source)
  const project = await readProject(source)
  const digest = await sourceDigest(source)
  const memo = await readPackageMemo(options.home, stack.config.project.id, digest)
  if (memo !== undefined) return { name: memo.name, version: memo.version, digest, builtSha256: memo.sha256 }
  if (project.name !== undefined && project.version !== undefined) return { name: normalizeName(project.name), version: project.version, digest, builtSha256: undefined }
  options.note('building the wheel to learn its version')
  const wheel = await queue.buildWheel(source, specs.builder(), { progress: silentProgress, signal: options.signal })
  return { name: wheel.name, version: wheel.version, digest, builtSha256: wheel.sha256 }
}

/** Adds to the compiled resources what was read from the source, and the order that publishing and installing need. */
function withSource(stack: LoadedStack, compiled: readonly DesiredResource[], source: SourcePackage | undefined): readonly DesiredResource[] {
  if (source === undefined) return compiled.filter((resource) => resource.kind !== 'python-package')
  const address = `python-package/${source.name}` as const
  const access = compiled
    .filter((resource) => resource.kind === 'artifact-repository-iam-member' || resource.kind === 'service-account' || resource.address === 'service/iamcredentials.googleapis.com')
    .map((resource) => resource.address)
  return compiled.map((resource) => {
    if (resource.kind === 'python-package') {
      return {
        ...resource,
        props: { ...resource.props, name: source.name, version: source.version, sourceDigest: source.digest, builtSha256: source.builtSha256 },
        dependsOn: [...resource.dependsOn, ...access],
      }
    }
    if (resource.kind === 'release') return withPackage(stack, resource, source)
    const image = resource.kind === 'image' ? stack.config.images[String(resource.props['family'])] : undefined
    if (image === undefined || !isServerImage(image)) return resource
    const wheels = image.python.includes(source.name)
      ? [
          {
            name: source.name,
            version: { $ref: address, attribute: 'version' },
            fileName: { $ref: address, attribute: 'fileName' },
            sha256: { $ref: address, attribute: 'sha256' },
          },
        ]
      : []
    // The key of the image below is an input of this one's.
    return { ...resource, props: { ...resource.props, wheels, below: { $ref: `image/${image.from}`, attribute: 'key' } }, dependsOn: [...resource.dependsOn, ...access] }
  })
}

/** What every VM of the release must say that it is. */
function withPackage(stack: LoadedStack, resource: DesiredResource, source: SourcePackage): DesiredResource {
  const image = stack.config.images[stack.config.server?.image ?? '']
  if (image === undefined || !isServerImage(image) || !image.python.includes(source.name)) return resource
  const of = (attribute: string) => ({ $ref: `python-package/${source.name}`, attribute }) as const
  return { ...resource, props: { ...resource.props, package: { name: source.name, version: of('version'), wheelSha256: of('sha256') } } }
}

function healthOf(stack: LoadedStack, family: string): { readonly path: string; readonly port: number; readonly timeoutSeconds: number } | undefined {
  const image = stack.config.images[family]
  return image !== undefined && isServerImage(image) ? image.health : undefined
}
