/** The golden images of a stack, as desired resources of the kind `image`. */
import { resolve } from 'node:path'
import type { Address, DesiredResource } from '../engine/types.ts'
import { packageAddress, resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { imageBucketName } from './names.ts'

interface ImageCommon {
  /** The image family; images of it are named after it. */
  readonly family: string
  readonly projectId: string
  /** The region that the image is stored in. */
  readonly location: string
  /** The bucket that the disk is imported through. */
  readonly bucket: string
  readonly packages: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** What makes it on Google Cloud. */
  readonly engine: 'offline' | 'packer'
}

/** Props of an image made from a Debian suite. */
export interface BaseImageProps extends ImageCommon {
  readonly type: 'base'
  readonly suite: 'bullseye' | 'bookworm' | 'trixie'
}

/** Props of an image on top of another one. */
export interface ServerImageProps extends ImageCommon {
  readonly type: 'server'
  /** The family of the image below; its resource is `image/<from>`. */
  readonly from: string
  /** Names of packages of the stack's own repository. */
  readonly python: readonly string[]
  /** The repository that they come from. */
  readonly repository: string
  /** `source` is absolute; the kind reads bytes and mode. */
  readonly files: readonly { readonly source: string; readonly path: string }[]
  readonly entrypoint: string
  readonly user: string
  readonly environment: Readonly<Record<string, string>>
  readonly health: { readonly path: string; readonly port: number }
}

/** The address of an image by its name in the config. */
export function imageAddress(name: string): Address {
  return `image/${name}`
}

/** All images of the config, bases before what is made on them. */
export function compileImages({ config, facts, projectId, labels }: Compilation): readonly DesiredResource[] {
  const bucket = imageBucketName(projectId)
  const after: readonly Address[] = [serviceAddress('compute.googleapis.com'), `bucket/${bucket}`]
  const common = { projectId, location: config.location.region, bucket, labels }
  const resources = Object.entries(config.images).map(([family, image]) => {
    if (!('from' in image)) {
      const props: BaseImageProps = { type: 'base', family, ...common, engine: image.engine, suite: image.debian, packages: image.packages }
      return resource('image', family, { ...props }, after)
    }
    const props: ServerImageProps = {
      type: 'server',
      family,
      ...common,
      engine: image.engine,
      from: image.from,
      packages: image.packages,
      python: image.python,
      repository: config.package.repository,
      files: Object.entries(image.files).map(([source, path]) => ({ source: resolve(facts.stackDir, source), path })),
      entrypoint: image.entrypoint,
      user: image.user,
      environment: image.environment,
      health: { path: image.health.path, port: image.health.port },
    }
    const packages = image.python.length === 0 ? [] : [packageAddress(config, facts)]
    return resource('image', family, { ...props }, [...after, ...packages, imageAddress(image.from)])
  })
  return basesFirst(resources)
}

/** The config's checks have refused circles and missing bases. */
function basesFirst(resources: readonly DesiredResource[]): readonly DesiredResource[] {
  const ordered: DesiredResource[] = []
  const place = (one: DesiredResource): void => {
    if (ordered.includes(one)) return
    const base = resources.find((other) => other !== one && one.dependsOn.includes(other.address))
    if (base !== undefined) place(base)
    ordered.push(one)
  }
  for (const one of resources) place(one)
  return ordered
}
