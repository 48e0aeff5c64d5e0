/**
 * The stack's own Python package as a resource: the wheel of one version, published to the private index. Versions are immutable, so
 * publishing is the only change there is, and nothing is ever deleted but with its repository.
 */
import { z } from 'zod'
import { KilnError } from '../../base/errors.ts'
import type { Progress } from '../../base/progress.ts'
import type { Clients } from '../../client/clients.ts'
import { uploadDistribution } from '../../client/distribution.ts'
import { isAbsent } from '../../client/errors.ts'
import type { Difference, ResourceKind } from '../../engine/types.ts'
import { parseProps } from '../../resources/resource.ts'

const PackageProps = z.looseObject({
  project: z.string(),
  location: z.string(),
  repository: z.string(),
  /** Normalised (PEP 503). */
  name: z.string(),
  version: z.string(),
  /** Digest of the source tree that is to be published. */
  sourceDigest: z.string(),
  /** The wheel's hash, when this source was built before. */
  builtSha256: z.string().optional(),
})
export type PackageProps = z.output<typeof PackageProps>

export type PackageAttributes = {
  readonly name: string
  readonly version: string
  readonly fileName: string
  readonly sha256: string
  /** As a client on this machine reaches it. */
  readonly indexUrl: string
}

export interface BuiltWheel {
  readonly path: string
  readonly fileName: string
  readonly sha256: string
}

export interface PackageParts {
  /** Builds the wheel of the source that the props were made from. */
  readonly build: (progress: Progress, signal: AbortSignal) => Promise<BuiltWheel>
  /** The version that is wanted: `observe` tells of it when it is published, else of the newest. */
  readonly wantedVersion: string
  readonly uploadToken: () => Promise<string>
}

interface RegistryFile {
  readonly name?: string
  readonly owner?: string
  readonly createTime?: string
  readonly hashes?: readonly { readonly type?: string; readonly value?: string }[]
}

/** Makes the kind for one stack. */
export function pythonPackageKind(parts: PackageParts): ResourceKind<PackageProps, PackageAttributes, Clients> {
  return {
    kind: 'python-package',
    parse: (props) => parseProps('python-package', PackageProps, props),
    identity: ({ project, location, repository, name }) => ({ project, location, repository, name }),
    keepOnDestroy: true,

    async observe({ clients, signal }, identity) {
      const wheels = await publishedWheels(clients, identity, signal)
      return wheels.find((wheel) => wheel.version === parts.wantedVersion) ?? wheels.at(-1)
    },

    diff(props, observed) {
      const differences: Difference[] = []
      if (observed.version !== props.version) differences.push({ path: 'version', from: observed.version, to: props.version })
      else if (props.builtSha256 === undefined) differences.push({ path: 'wheel', from: `sha256:${observed.sha256.slice(0, 12)}`, to: 'compared when the source is built' })
      else if (props.builtSha256 !== observed.sha256)
        differences.push({ path: 'wheel', from: `sha256:${observed.sha256.slice(0, 12)}`, to: `sha256:${props.builtSha256.slice(0, 12)}` })
      return differences
    },

    create: ({ clients, progress, signal }, props) => publish(parts, clients, progress, signal, props),
    update: ({ clients, progress, signal }, props) => publish(parts, clients, progress, signal, props),
    // Published versions are kept for as long as their repository; deleting that deletes them.
    remove: async () => {},
  }
}

async function publish(parts: PackageParts, clients: Clients, progress: Progress, signal: AbortSignal, props: PackageProps): Promise<PackageAttributes> {
  const wheel = await parts.build(progress, signal)
  // The wheel's version is the normal form (PEP 440) of what pyproject.toml says.
  const published = (await publishedWheels(clients, props, signal)).find((each) => each.fileName === wheel.fileName || each.version === props.version)
  if (published !== undefined) {
    if (published.sha256 === wheel.sha256) return published
    throw new KilnError(
      'E_PACKAGE_EXISTS',
      `${props.name} ${props.version} is already published with other bytes (sha256:${published.sha256.slice(0, 12)}…, this source gives sha256:${wheel.sha256.slice(0, 12)}…)`,
      {
        hint: 'published versions never change: raise the version in pyproject.toml',
      },
    )
  }
  progress.note(`uploading ${wheel.fileName}`)
  const { version } = await uploadDistribution({ repositoryUrl: clients.transport.url(repositoryUrl(props)), file: wheel.path, accessToken: parts.uploadToken, signal })
  return { name: props.name, version, fileName: wheel.fileName, sha256: wheel.sha256, indexUrl: clients.transport.url(`${repositoryUrl(props)}simple/`) }
}

/** `https://L-python.pkg.dev/P/R/`: where twine uploads and, with `simple/`, pip looks. */
export function repositoryUrl(props: { readonly [key: string]: unknown; readonly project?: unknown; readonly location?: unknown; readonly repository?: unknown }): string {
  return `https://${String(props.location)}-python.pkg.dev/${String(props.project)}/${String(props.repository)}/`
}

/** The wheels of a package, oldest first, from Artifact Registry's file list. */
export async function publishedWheels(clients: Clients, identity: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<PackageAttributes[]> {
  const repository = `projects/${String(identity['project'])}/locations/${String(identity['location'])}/repositories/${String(identity['repository'])}`
  const name = String(identity['name'])
  const files: RegistryFile[] = []
  try {
    let pageToken = ''
    do {
      const query = new URLSearchParams({ pageSize: '1000', ...(pageToken === '' ? {} : { pageToken }) })
      const page = await clients.transport.json<{ readonly files?: readonly RegistryFile[]; readonly nextPageToken?: string }>(
        'GET',
        `https://artifactregistry.googleapis.com/v1/${repository}/files?${query}`,
        { signal },
      )
      files.push(...(page.files ?? []))
      pageToken = page.nextPageToken ?? ''
    } while (pageToken !== '')
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
  return files
    .filter((file) => file.owner?.includes(`/packages/${name}/versions/`) === true && file.name?.endsWith('.whl') === true)
    .sort((a, b) => ((a.createTime ?? '') < (b.createTime ?? '') ? -1 : 1))
    .map((file) => ({
      name,
      version: decodeURIComponent(file.owner?.split('/versions/')[1] ?? ''),
      fileName:
        decodeURIComponent(file.name?.split('/').at(-1) ?? '')
          .split('/')
          .at(-1) ?? '',
      sha256: Buffer.from(file.hashes?.find((hash) => hash.type === 'SHA256')?.value ?? '', 'base64').toString('hex'),
      indexUrl: clients.transport.url(`${repositoryUrl(identity)}simple/`),
    }))
}
