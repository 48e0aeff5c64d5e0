/** The development VM and the production group; machines and groups that are neither are foreign. */
import { servingName, sshTag } from '../../compile/names.ts'
import type { StackInput } from '../../config/schema.ts'
import { accountOfMember, all, isMadeByKiln, lastPart, one } from './reading.ts'
import type { Foreign, Part, Reader, Reading } from './reading.ts'
import { familyOf } from './read-images.ts'

type Labels = Readonly<Record<string, string>>

interface Machine {
  readonly name?: string
  readonly zone?: string
  readonly machineType?: string
  readonly labels?: Labels
  readonly tags?: { readonly items?: readonly string[] }
  readonly metadata?: { readonly items?: readonly { readonly key?: string; readonly value?: string }[] }
  readonly serviceAccounts?: readonly { readonly email?: string }[]
}

interface Group {
  readonly name?: string
  readonly zone?: string
  readonly description?: string
  readonly targetSize?: number
  readonly instanceTemplate?: string
  readonly baseInstanceName?: string
  readonly versions?: readonly { readonly instanceTemplate?: string }[]
}

interface Template {
  readonly properties?: Machine & { readonly disks?: readonly { readonly initializeParams?: { readonly sourceImage?: string } }[] }
}

const compute = 'https://compute.googleapis.com/compute/v1'

async function everywhere<T>(reading: Reading, collection: string): Promise<readonly T[]> {
  const answer = await one<{ readonly items?: Readonly<Record<string, Readonly<Record<string, readonly T[]>>>> }>(
    reading,
    `${compute}/projects/${reading.projectId}/aggregated/${collection}`,
  )
  return Object.values(answer?.items ?? {}).flatMap((scope) => scope[collection] ?? [])
}

/** The machine that Kiln made with the tag for SSH, apart from a group. */
export const readDev: Reader = async (reading): Promise<Part> => {
  const groups = await everywhere<Group>(reading, 'instanceGroupManagers')
  const machines = (await everywhere<Machine>(reading, 'instances')).filter((machine) => !groups.some((group) => machine.name?.startsWith(`${group.baseInstanceName}-`) === true))
  const own = machines.find((machine) => isMadeByKiln(machine) && machine.tags?.items?.includes(sshTag) === true)
  const foreign = machines
    .filter((machine) => machine !== own)
    .map((machine) => ({ what: `compute instances ${machine.name ?? ''}`, why: 'it is not the development VM of a stack' }))
  const image = own?.tags?.items?.find((tag) => tag.startsWith('kiln-') && tag !== sshTag)?.slice('kiln-'.length)
  if (own === undefined || image === undefined) return { section: {}, foreign }
  const metadata = Object.fromEntries((own.metadata?.items ?? []).flatMap(({ key = '', value = '' }) => (key === 'ssh-keys' ? [] : [[key, value]])))
  const labels = ownLabels(own.labels)
  return {
    section: {
      dev: {
        image,
        ...(own.name === undefined || own.name === `${image}-dev` ? {} : { name: own.name }),
        machineType: lastPart(own.machineType),
        ...accountOf(reading, own),
        ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
        ...(Object.keys(labels).length === 0 ? {} : { labels }),
      },
    },
    foreign,
  }
}

/** The group under the name that the stack gives it. How releases go out is the deployer's, and is not in the cloud. */
export const readServer: Reader = async (reading): Promise<Part> => {
  const base = `${compute}/projects/${reading.projectId}`
  const groups = await everywhere<Group>(reading, 'instanceGroupManagers')
  const name = servingName(reading.projectId)
  const own = groups.find((group) => group.name === name)
  const foreign: Foreign[] = groups
    .filter((group) => !(group.name ?? '').startsWith(name))
    .map((group) => ({ what: `compute instance-groups managed ${group.name ?? ''}`, why: 'it is not the group of a stack' }))
  if (own === undefined) return { section: {}, foreign }
  const link = own.versions?.[0]?.instanceTemplate ?? own.instanceTemplate
  const template = await one<Template>(reading, `${base}/global/instanceTemplates/${lastPart(link)}`)
  const images = await all<{ readonly name?: string }>(reading, `${base}/global/images`, 'items')
  const image = familyOf(images, template?.properties?.disks?.[0]?.initializeParams?.sourceImage)
  if (template === undefined || image === undefined) {
    foreign.push({ what: `compute instance-groups managed ${name}`, why: 'the image of its template is not there' })
    return { section: {}, foreign }
  }
  const map = await one<{ readonly hostRules?: readonly { readonly hosts?: readonly string[] }[] }>(reading, `${base}/global/urlMaps/${name}`)
  const domains = (map?.hostRules ?? []).flatMap((rule) => rule.hosts ?? [])
  const server: NonNullable<StackInput['server']> = {
    image,
    machineType: lastPart(template.properties?.machineType),
    size: own.targetSize ?? 1,
    ...accountOf(reading, template.properties ?? {}),
    ...(domains.length === 0 ? {} : { domains }),
  }
  return { section: { server }, foreign, comments: { server: 'how releases go out (strategy, gates) is not in the cloud' } }
}

function accountOf(reading: Reading, machine: Machine): { readonly serviceAccount?: string } {
  const account = accountOfMember(reading, `serviceAccount:${machine.serviceAccounts?.[0]?.email ?? ''}`)
  return account === undefined ? {} : { serviceAccount: account }
}

function ownLabels(labels: Labels | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => key !== 'managed-by' && key !== 'kiln-stack' && !key.startsWith('goog-')))
}
