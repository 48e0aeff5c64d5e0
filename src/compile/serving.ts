/** What serves a stack, as one plain object: names, size, port, and what its machines are like. The engine makes it, the deployer rolls releases out on it. Pure. */
import { isServerImage } from '../config/schema.images.ts'
import type { ServerImage } from '../config/schema.images.ts'
import type { Server } from '../config/schema.server.ts'
import type { StackConfig } from '../config/schema.ts'
import { managedByLabel, stackLabel } from '../resources/resource.ts'
import { serviceAccountEmail } from '../resources/service-account/resource.ts'
import { labelValue, releasesBucketName, servingName } from './names.ts'

/** The name of the port that the load balancer sends requests to. */
export const servingPortName = 'http'

/** What the machines of the group are like, beside their image. */
export interface ServingShape {
  readonly machineType: string
  readonly network: string
  readonly externalAddress: boolean
  readonly tags: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly serviceAccount?: string
  readonly scopes: readonly string[]
}

export interface Serving {
  /** The name of group, backend service, URL map, proxy, address, forwarding rule, and of the network tag. */
  readonly name: string
  /** The health check by which the group heals itself. */
  readonly healingCheck: string
  /** How long a new VM may be sick before the group makes it anew. */
  readonly healingDelaySeconds: number
  readonly projectId: string
  readonly zone: string
  /** The stack's name as its labels have it. */
  readonly stack: string
  /** The bucket with the ledger of releases. */
  readonly bucket: string
  /** The image family. */
  readonly family: string
  readonly image: ServerImage
  readonly server: Server
  readonly shape: ServingShape
}

/** A rollout gives a release up before the group heals its sick VMs: these are the evidence, and must be there when it looks. */
const DECISION_SECONDS = 60
/** What Compute Engine takes. */
const MOST_DELAY_SECONDS = 3600

/** @param stack the stack's name, for labels. Default: the project's id. */
export function servingOf(config: StackConfig, stack: string = config.project.id): Serving | undefined {
  const { server } = config
  const image = server === undefined ? undefined : config.images[server.image]
  // The config's checks have refused an image without a server in it.
  if (server === undefined || image === undefined || !isServerImage(image)) return undefined
  const projectId = config.project.id
  const label = labelValue(stack)
  const name = servingName(label)
  const account = server.serviceAccount === undefined ? undefined : serviceAccountEmail({ projectId, accountId: server.serviceAccount })
  return {
    name,
    healingCheck: `${name}-healing`,
    healingDelaySeconds: Math.min(MOST_DELAY_SECONDS, image.health.timeoutSeconds + DECISION_SECONDS),
    projectId,
    zone: config.location.zone,
    stack: label,
    bucket: releasesBucketName(projectId),
    family: server.image,
    image,
    server,
    shape: {
      machineType: server.machineType,
      network: 'default',
      externalAddress: true,
      tags: [name],
      labels: { ...server.labels, [managedByLabel]: 'kiln', [stackLabel]: label },
      metadata: server.metadata,
      ...(account === undefined ? {} : { serviceAccount: account }),
      scopes: account === undefined ? [] : ['https://www.googleapis.com/auth/cloud-platform'],
    },
  }
}
