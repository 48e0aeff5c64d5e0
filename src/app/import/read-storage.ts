/** Buckets with the objects that Kiln keeps in them, and secrets. */
import { imageBucketName } from '../../compile/names.ts'
import type { StackInput } from '../../config/schema.ts'
import { accountOfMember, all, isGooglesOwn, lastPart, one } from './reading.ts'
import type { Binding, Foreign, Part, Reader, Reading } from './reading.ts'

type Buckets = NonNullable<StackInput['buckets']>
type Secrets = NonNullable<StackInput['secrets']>

interface Stored {
  readonly name?: string
  readonly location?: string
  readonly metadata?: Readonly<Record<string, string>>
}

const base = 'https://storage.googleapis.com/storage/v1/b'

export const readBuckets: Reader = async (reading, { location }): Promise<Part> => {
  const buckets: Buckets = {}
  const foreign: Foreign[] = []
  for (const { name = '', location: place = '' } of await all<Stored>(reading, `${base}?project=${reading.projectId}`, 'items')) {
    if (isOwnBucket(reading, name)) continue
    const objects = await all<Stored>(reading, `${base}/${name}/o?fields=items(name,metadata),nextPageToken`, 'items')
    const ours = objects.filter((object) => object.metadata?.['managed-by'] === 'kiln').map((object) => object.name ?? '')
    const others = objects.length - ours.length
    if (others > 0) foreign.push({ what: `storage objects of gs://${name}`, why: `${others} of them were not put there by Kiln; they stay as they are` })
    const region = place.toLowerCase()
    buckets[name] = {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked with the whole draft
      ...(region === location?.region ? {} : { location: region as NonNullable<Buckets[string]['location']> }),
      ...(ours.length === 0 ? {} : { objects: Object.fromEntries(ours.map((object) => [object, `./${object}`])) }),
    }
  }
  const withObjects = Object.entries(buckets).filter(([, bucket]) => bucket.objects !== undefined)
  return {
    section: Object.keys(buckets).length === 0 ? {} : { buckets },
    foreign,
    comments: Object.fromEntries(withObjects.map(([name]) => [`buckets.${name}`, `fetch the files with: gcloud storage cp --recursive 'gs://${name}/*' .`])),
  }
}

/** Buckets that every stack has without saying so. */
function isOwnBucket(reading: Reading, name: string): boolean {
  return name === imageBucketName(reading.projectId) || name.startsWith(`${reading.projectId}-kiln-`)
}

const accessor = 'roles/secretmanager.secretAccessor'

export const readSecrets: Reader = async (reading): Promise<Part> => {
  const secrets: Secrets = {}
  const foreign: Foreign[] = []
  const url = `https://secretmanager.googleapis.com/v1/projects/${reading.projectId}/secrets`
  for (const found of await all<{ readonly name?: string }>(reading, url, 'secrets')) {
    const name = lastPart(found.name)
    const policy = await one<{ readonly bindings?: readonly Binding[] }>(reading, `${url}/${name}:getIamPolicy`)
    const accessors: string[] = []
    for (const { role = '', members = [], condition } of policy?.bindings ?? []) {
      for (const member of members.filter((each) => !isGooglesOwn(each))) {
        const account = accountOfMember(reading, member)
        if (account !== undefined && role === accessor && condition === undefined) accessors.push(account)
        else foreign.push({ what: `${role} on the secret ${name} for ${member}`, why: 'the config knows only accounts of the project that may read the value' })
      }
    }
    const older = (await all<{ readonly state?: string }>(reading, `${url}/${name}/versions`, 'versions')).slice(1).map((version) => version.state)
    secrets[name] = {
      from: `env:${name
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]/g, '_')
        .replace(/^(?=\d)/, '_')}`,
      ...(accessors.length === 0 ? {} : { accessors }),
      ...(older.includes('ENABLED') ? { oldVersions: 'keep' as const } : older.includes('DESTROYED') && !older.includes('DISABLED') ? { oldVersions: 'destroy' as const } : {}),
    }
  }
  const names = Object.keys(secrets)
  return {
    section: names.length === 0 ? {} : { secrets },
    foreign,
    comments: names.length === 0 ? {} : { secrets: 'values stay where they are; a variable is only needed to set another one' },
  }
}
