/** What the deployer needs of a compute cloud, as few plain calls. `fleet.google.ts` has them over Google's API; tests have one in memory. */
import type { Shape } from './ledger.schema.ts'

export interface ImageFacts {
  readonly name: string
  readonly selfLink: string
  readonly id: string
  /** The digest of the baked disk, from the image's labels, when Kiln baked it. */
  readonly digest?: string
  readonly family?: string
  /** READY, PENDING, FAILED … */
  readonly status: string
  /** ACTIVE, DEPRECATED, OBSOLETE, DELETED. */
  readonly deprecation: string
}

export interface TemplateFacts {
  readonly name: string
  /** Link of its boot disk's image, as `projects/P/global/images/NAME`. */
  readonly image: string
}

export interface NewTemplate {
  readonly name: string
  readonly description: string
  readonly image: string
  readonly shape: Shape
}

export interface GroupVersion {
  /** Name of a template. */
  readonly template: string
  /** How many instances get it; left out: all that no other version takes. */
  readonly count?: number
}

export interface GroupWish {
  readonly name: string
  readonly baseInstanceName: string
  readonly size: number
  readonly versions: readonly GroupVersion[]
  readonly maxSurge: number
  readonly namedPorts: readonly { readonly name: string; readonly port: number }[]
  /** Name of the health check by which sick instances are made anew. */
  readonly healthCheck?: string
  /** How long a new instance may be unhealthy. */
  readonly initialDelaySec: number
}

export interface GroupFacts {
  readonly name: string
  readonly size: number
  readonly versions: readonly GroupVersion[]
  readonly maxSurge: number
  readonly maxUnavailable: number
  readonly isProactive: boolean
  readonly isStable: boolean
  readonly isReached: boolean
  readonly hasHealthCheck: boolean
}

export type HealthState = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN'

export interface MemberFacts {
  readonly name: string
  /** Id of the machine; another one under the same name is another machine. */
  readonly id?: string
  /** Name of the template that it has, or is being made from. */
  readonly template: string
  /** NONE when nothing is done with it. */
  readonly action: string
  /** RUNNING, STAGING …; undefined while there is no machine. */
  readonly status?: string
  /** By the group's own health check. */
  readonly health?: HealthState
  /** What the last attempt to make it said. */
  readonly errors: readonly string[]
}

export interface GroupError {
  readonly at: string
  readonly instance: string
  readonly template: string
  readonly action: string
  readonly code: string
  readonly message: string
}

export interface BackendHealth {
  readonly instance: string
  readonly state: HealthState
  /** The last answer of the health check, where the cloud tells it. */
  readonly evidence: Readonly<Record<string, string>>
}

export interface Backend {
  /** Name of the instance group. */
  readonly group: string
  /** 0: probed, and gets no new requests. */
  readonly capacity: number
}

export interface MemberAddress {
  readonly internal?: string
  readonly external?: string
}

/** What a running machine uses. */
export interface MachineFacts {
  readonly name: string
  /** Name of the template that it was made from by a group. */
  readonly template?: string
  /** Links of the images of its disks, as `projects/P/global/images/NAME`, with their ids. */
  readonly imageIds: readonly string[]
}

/** A disk that outlived its instance, as evidence. */
export interface KeptDisk {
  readonly name: string
  /** Number of the release that failed. */
  readonly release: number
  /** An instance has it: the one that it is of, or one that somebody looks into it with. */
  readonly isUsed: boolean
}

/** Calls that change something return when the change is done. Deleting what is gone is success. */
export interface Fleet {
  /** By link or name; undefined when it is gone. */
  image(link: string): Promise<ImageFacts | undefined>
  images(): Promise<readonly ImageFacts[]>
  deleteImage(name: string): Promise<void>

  template(name: string): Promise<TemplateFacts | undefined>
  /** With this prefix. */
  templates(prefix: string): Promise<readonly TemplateFacts[]>
  /** There already is success: templates never change. */
  createTemplate(template: NewTemplate): Promise<void>
  /** False while a group uses it. */
  deleteTemplate(name: string): Promise<boolean>

  group(name: string): Promise<GroupFacts | undefined>
  groups(): Promise<readonly GroupFacts[]>
  /** There already is success; the caller observes it again. */
  createGroup(wish: GroupWish): Promise<void>
  /** Sets versions, size and a proactive policy that never takes a serving instance away before another serves. */
  updateGroup(name: string, change: { readonly versions: readonly GroupVersion[]; readonly size: number; readonly maxSurge: number }): Promise<void>

  members(group: string): Promise<readonly MemberFacts[]>
  groupErrors(group: string): Promise<readonly GroupError[]>
  address(instance: string): Promise<MemberAddress>
  serial(instance: string): Promise<string>
  machines(): Promise<readonly MachineFacts[]>

  /** The boot disk of an instance stays when the instance goes, labelled with stack and release. Gives its link. Repeating it is success. */
  keepDisk(instance: string, stack: string, release: number): Promise<string>
  keptDisks(stack: string): Promise<readonly KeptDisk[]>
  deleteDisk(name: string): Promise<void>

  /** Undefined when there is no such backend service. */
  backends(service: string): Promise<readonly Backend[] | undefined>
  /** Sets the capacity of these groups in one change; those that are no backends yet become ones, others stay as they are. */
  setBackends(service: string, backends: readonly Backend[]): Promise<void>
  /** Empty when the group is no backend of it. */
  backendHealth(service: string, group: string): Promise<readonly BackendHealth[]>
}
