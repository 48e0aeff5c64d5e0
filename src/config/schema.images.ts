/** Config section `images`: golden images made from a Debian suite, or on top of another image. */
import { basename } from 'node:path'
import { z } from 'zod'
import { problemsOf } from './problems.ts'
import { DebianPackage, ImagePath, LocalPath, PythonName, ResourceName, UrlPath, UserName, VariableName, VariableValue, list, mapOf, oneOf, section, whole } from './fields.ts'

/**
 * What makes the image on Google Cloud. `offline` (default): baked on this machine, booted there as its test, imported. `packer`: Packer builds it in a VM of the
 * project by the template of `ops/packer`, and a VM of the project is its test. The pocket cloud always bakes.
 */
const ImageEngine = oneOf(['offline', 'packer']).default('offline')

/** An image made from a Debian suite. */
export const BaseImage = section('an image: { debian, packages }', {
  debian: oneOf(['bullseye', 'bookworm', 'trixie']),
  packages: list('Debian package names', DebianPackage).default([]),
  engine: ImageEngine,
})
export type BaseImage = z.output<typeof BaseImage>

/** Where the server says that it is well. Boot tests, `kiln up` and later the load balancer ask it. */
export const Health = section('an object: { path, port, timeoutSeconds }', {
  path: UrlPath.default('/healthz'),
  port: whole('a number', 1, 65_535).default(8080),
  /** How long a start may take until the server answers, in seconds: boot tests and `kiln up` give up after it. Default: 600. */
  timeoutSeconds: whole('a number of seconds', 10, 3600).default(600),
})
export type Health = z.output<typeof Health>

const ServerImageFields = section('an image: { from, python, files, entrypoint, user, health }', {
  from: ResourceName,
  packages: list('Debian package names', DebianPackage).default([]),
  python: list('Python package names', PythonName).default([]),
  files: mapOf('local path -> absolute path in the image', LocalPath, ImagePath).default({}),
  entrypoint: ImagePath.optional(),
  user: UserName.default('app'),
  environment: mapOf('variable -> value', VariableName, VariableValue).default({}),
  health: Health.default({ path: '/healthz', port: 8080, timeoutSeconds: 600 }),
  engine: ImageEngine,
})

/** An image made on top of another image, with a server in it. */
export const ServerImage = ServerImageFields.transform((image, context) => {
  if (image.entrypoint !== undefined) return { ...image, entrypoint: image.entrypoint }
  const candidates = Object.values(image.files).filter((path) => basename(path) === 'entrypoint.sh')
  const [entrypoint] = candidates
  if (candidates.length === 1 && entrypoint !== undefined) return { ...image, entrypoint }
  const why = candidates.length === 0 ? 'no file in `files` is named entrypoint.sh' : `several files are named entrypoint.sh (${candidates.join(', ')})`
  context.issues.push({ code: 'custom', input: image, path: ['entrypoint'], message: `expected the path in the image of the program to start, since ${why}` })
  return z.NEVER
})
export type ServerImage = z.output<typeof ServerImage>

const formProblem = 'expected an image with either "debian" (made from a Debian suite) or "from" (made from another image)'

type ImageInput = z.input<typeof BaseImage> | z.input<typeof ServerImage>

/** One image. The form is chosen by its key `debian` or `from`, so that messages speak of the form that was meant. */
export const Image = z
  .custom<ImageInput>((value) => typeof value === 'object' && value !== null && !Array.isArray(value) && 'debian' in value !== 'from' in value, { error: formProblem, abort: true })
  .transform((value, context): BaseImage | ServerImage => {
    const result = 'from' in value ? ServerImage.safeParse(value) : BaseImage.safeParse(value)
    if (result.success) return result.data
    for (const problem of problemsOf(result.error)) context.issues.push({ code: 'custom', input: value, path: [...problem.path], message: problem.message })
    return z.NEVER
  })
export type Image = z.output<typeof Image>

/** True when Packer makes an image of the config on Google Cloud. */
export function needsPacker(images: Readonly<Record<string, Image>>): boolean {
  return Object.values(images).some((image) => image.engine === 'packer')
}

/** Images by name. The name is also the image family that VMs follow. */
export const Images = mapOf('image name -> image', ResourceName, Image).refine((images) => Object.keys(images).length > 0, { error: 'expected at least one image' })

/** True for an image with a server in it. */
export function isServerImage(image: Image): image is ServerImage {
  return 'from' in image
}
