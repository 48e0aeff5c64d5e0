/** The building blocks of the config schema: names and values as Google, Debian, Python and Linux define them. */
import { z } from 'zod'
import { expected, expectedOneOf, expectedSection } from './problems.ts'
import { bucketMultiRegions, firestoreMultiRegions, isRegion, isZone, regionNames, zoneNames } from './data/locations.ts'
import type { Region, Zone } from './data/locations.ts'

/** A strict object whose unknown keys and wrong types are named with their path. */
export function section<Shape extends z.ZodRawShape>(what: string, shape: Shape) {
  return z.strictObject(shape, { error: expectedSection(what, Object.keys(shape)) })
}

/** A text that matches; `what` completes "expected …". */
export function text(what: string, pattern: RegExp) {
  return z.string({ error: expected(what) }).regex(pattern, { error: expected(what) })
}

/** A whole number in a closed range. */
export function whole(what: string, lowest: number, highest: number) {
  const error = expected(`${what} between ${lowest} and ${highest}`)
  return z.int({ error }).min(lowest, { error }).max(highest, { error })
}

/** A list. */
export function list<Item extends z.ZodType>(what: string, item: Item) {
  return z.array(item, { error: expected(`a list of ${what}`) })
}

/** An object with free keys. */
export function mapOf<Key extends z.ZodType<string, string>, Value extends z.ZodType>(what: string, key: Key, value: Value) {
  return z.record(key, value, { error: expected(`an object: ${what}`) })
}

/** One of a few words. */
export function oneOf<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: expectedOneOf(`one of ${words.map((word) => `"${word}"`).join(', ')}`, () => words) })
}

/** https://cloud.google.com/resource-manager/docs/creating-managing-projects */
export const ProjectId = text('a project id (6 to 30 lower-case letters, digits and hyphens, first a letter, last no hyphen)', /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/)

export const ProjectName = text('a project name (4 to 30 letters, digits, spaces, hyphens, quotes or exclamation marks)', /^[A-Za-z0-9 '"!-]{4,30}$/)

export const BillingAccount = text('a billing account id such as 012345-6789AB-CDEF01', /^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$/)

export const RegionName = z.custom<Region>(isRegion, { error: expectedOneOf('a Google Cloud region such as us-central1', regionNames) })

export const ZoneName = z.custom<Zone>(isZone, {
  error: expectedOneOf('a Google Cloud zone such as us-central1-c', () => regionNames().flatMap((region) => [...zoneNames(region)])),
})

const bucketLocations = (): string[] => [...regionNames(), ...bucketMultiRegions]
export const BucketLocation = z.custom<Region | (typeof bucketMultiRegions)[number]>((value) => typeof value === 'string' && bucketLocations().includes(value), {
  error: expectedOneOf('a region, or "us", "eu" or "asia"', bucketLocations),
})

const firestoreLocations = (): string[] => [...regionNames(), ...firestoreMultiRegions]
export const FirestoreLocation = z.custom<Region | (typeof firestoreMultiRegions)[number]>((value) => typeof value === 'string' && firestoreLocations().includes(value), {
  error: expectedOneOf('a region, or "nam5", "nam7" or "eur3"', firestoreLocations),
})

export const ApiName = text('the full name of a Google API such as speech.googleapis.com', /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)*\.googleapis\.com$/)

/** RFC 1035 label, as Compute Engine wants for images, families and instances. */
export const ResourceName = text('a name of 1 to 63 lower-case letters, digits and hyphens, first a letter, last no hyphen', /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)

/** https://cloud.google.com/iam/docs/service-accounts-create */
export const AccountName = text('a service account name (6 to 30 lower-case letters, digits and hyphens, first a letter, last no hyphen)', /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/)

export const RoleName = text(
  'a role such as roles/artifactregistry.reader',
  /^(roles\/[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*|(projects|organizations)\/[a-z0-9.:-]+\/roles\/[A-Za-z0-9_.]{3,64})$/,
)

const bucketName = 'a bucket name (3 to 63 lower-case letters, digits, hyphens, underscores and dots; not like an IP address, not starting with goog)'
/** https://cloud.google.com/storage/docs/buckets#naming */
export const BucketName = text(bucketName, /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/).refine(
  (name) => !/^\d+\.\d+\.\d+\.\d+$/.test(name) && !name.startsWith('goog') && !name.includes('google') && !/\.\.|-\.|\.-/.test(name),
  {
    error: expected(bucketName),
  },
)

const objectName = 'an object name (1 to 1024 bytes of UTF-8 without line ends; not "." or ".."; not under .well-known/acme-challenge/)'
/** https://cloud.google.com/storage/docs/objects#naming */
export const ObjectName = z
  .string({ error: expected(objectName) })
  .refine((name) => name !== '' && Buffer.byteLength(name) <= 1024 && !/[\r\n]/.test(name) && name !== '.' && name !== '..' && !name.startsWith('.well-known/acme-challenge/'), {
    error: expected(objectName),
  })

export const DebianPackage = text('a Debian package name', /^[a-z0-9][a-z0-9+.-]+$/)

/** PEP 508 name; kept normalised as PEP 503 says. */
export const PythonName = text('the name of a Python package', /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/).transform((name) => name.replace(/[-_.]+/g, '-').toLowerCase())

export const LocalPath = text('a path relative to the folder of the config', /^[^\0]+$/)

const imagePath = 'an absolute path in the image, without "..", "//" or a slash at the end'
export const ImagePath = text(imagePath, /^(\/[^/\0\s]+)+$/).refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), { error: expected(imagePath) })

/** The form that Debian's adduser takes. */
export const UserName = text('a Linux account name (lower-case letters, digits, - and _; first a letter or _; up to 31)', /^[a-z_][a-z0-9_-]{0,30}$/).refine(
  (name) => name !== 'root',
  {
    error: 'the server may not run as root; choose another account name',
  },
)

export const UrlPath = text('a path that starts with / and has no spaces', /^\/[\x21-\x7e]*$/)

export const VariableName = text('the name of an environment variable', /^[A-Za-z_][A-Za-z0-9_]*$/).refine((name) => name !== 'PORT' && !name.startsWith('KILN_'), {
  error: 'PORT and names that start with KILN_ are set by Kiln',
})

export const VariableValue = text('a text without line ends', /^[^\0\r\n]*$/)

const customShape = String.raw`custom-\d+-\d+(-ext)?`
const namedShape = String.raw`(micro|small|medium|standard|highmem|highcpu|ultramem|megamem|hypermem|highgpu|ultragpu|megagpu|edgegpu|maxgpu)(-\d+)?[tg]?(-[a-z0-9]+)*`
/** https://cloud.google.com/compute/docs/machine-resource: FAMILY-SHAPE, or a custom shape, of which the family N1 has no prefix. */
export const MachineType = text(
  'a machine type such as e2-small, n2-standard-4 or e2-custom-2-4096',
  new RegExp(`^(${customShape}|[a-z][a-z0-9]{1,4}-(${customShape}|${namedShape}))$`),
)

/** https://cloud.google.com/compute/docs/metadata/setting-custom-metadata */
export const MetadataKey = text('a metadata key (1 to 128 letters, digits, - and _)', /^[A-Za-z0-9_-]{1,128}$/)

const metadataValue = 'a text of at most 262144 bytes'
export const MetadataValue = z.string({ error: expected(metadataValue) }).refine((value) => Buffer.byteLength(value) <= 262_144, { error: expected(metadataValue) })

/** https://cloud.google.com/compute/docs/labeling-resources */
export const LabelKey = text('a label key (1 to 63 lower-case letters, digits, - and _, first a letter)', /^[a-z][a-z0-9_-]{0,62}$/)
export const LabelValue = text('a label value (up to 63 lower-case letters, digits, - and _)', /^[a-z0-9_-]{0,63}$/)

export const DomainName = text('a domain name such as dev.chatmoshi.com', /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/)

export const GithubRepository = text('a GitHub repository as OWNER/REPO', /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})\/[A-Za-z0-9._-]{1,100}$/)

export const GitBranch = text('a branch name', /^(?!\/|-)(?!.*(?:\.\.|@\{|\/\/))[^\s'"~^:?*[\\]+(?<!\/|\.lock|\.)$/)

/** https://docs.github.com/en/rest/repos/repos#get-a-repository: `id` */
export const GithubRepositoryId = text('a GitHub repository id, digits as text such as "123456789" (gh api repos/OWNER/REPO --jq .id)', /^[1-9]\d{0,18}$/)

export const GithubEnvironment = text('the name of a GitHub environment (1 to 255 characters without quotes, backslashes and line ends)', /^[^'"\\\r\n]{1,255}$/)

/** https://cloud.google.com/secret-manager/docs/creating-and-accessing-secrets */
export const SecretName = text('a secret name (1 to 255 letters, digits, hyphens and underscores)', /^[A-Za-z0-9_-]{1,255}$/)

/** A value that is not in the config. */
export const SecretReference = text('where the value is: "env:VARIABLE" or "file:./path", relative to the folder of the config', /^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0]+)$/)

/** https://cloud.google.com/firestore/quotas#collections_documents_and_fields */
export const CollectionName = text('the name of a collection (no slash, not "." or "..", not __like_this__)', /^(?!\.\.?$)(?!__.*__$)[^/\0]{1,1500}$/)

export const FieldPath = text('the path of a field such as user or address.city', /^([A-Za-z_][A-Za-z0-9_]*|`[^`,]+`)(\.([A-Za-z_][A-Za-z0-9_]*|`[^`,]+`))*$/)
