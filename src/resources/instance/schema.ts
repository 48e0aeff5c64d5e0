/** Props and attributes of a virtual machine. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const InstanceProps = z.strictObject({
  projectId: z.string(),
  zone: z.string(),
  name: z.string(),
  /** `e2-small` */
  machineType: z.string(),
  /** Link of one image, never of a family: a VM's image changes only when the plan says so. */
  image: z.string().refine((link) => !link.includes('/images/family/'), 'must name an image, not a family'),
  /** Default: the image's size. */
  diskSizeGb: z.number().int().positive().optional(),
  network: z.string().default('default'),
  /** Network tags, which firewall rules name. */
  tags: z.array(z.string()).default([]),
  labels: Labels,
  metadata: z.record(z.string(), z.string()).default({}),
  /** The account that the VM acts as; left out, it gets no token. */
  serviceAccount: z.string().optional(),
  scopes: z.array(z.string()).default(['https://www.googleapis.com/auth/cloud-platform']),
})
export type InstanceProps = z.output<typeof InstanceProps>

export type InstanceAttributes = {
  readonly id: string
  readonly name: string
  readonly selfLink: string
  readonly status: string
  readonly machineType: string
  /** `projects/P/global/images/I` */
  readonly image: string
  /** The numeric id of that image when the disk was made: a new image under an old name differs here. */
  readonly imageId: string
  readonly diskSizeGb: number
  readonly network: string
  readonly tags: readonly string[]
  readonly tagsFingerprint: string
  readonly labels: Readonly<Record<string, string>>
  readonly labelFingerprint: string
  readonly metadata: Readonly<Record<string, string>>
  readonly metadataFingerprint: string
  readonly serviceAccount: string
  readonly scopes: readonly string[]
  readonly internalIp: string
  readonly externalIp: string
}
