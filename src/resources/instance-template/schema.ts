/** Props and attributes of an instance template: what a managed group makes its instances from. It never changes. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const InstanceTemplateProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /**
   * True: only what a group begins with. It is made when it is not there, and then left as it is, since later versions come from the deployer
   * and a group may still use this one.
   */
  seed: z.boolean().default(false),
  /** `e2-small` */
  machineType: z.string(),
  /** Link of one image, never of a family: what a group runs changes only when somebody rolls it out. */
  image: z.string().refine((link) => !link.includes('/images/family/'), 'must name an image, not a family'),
  /** Default: the image's size. */
  diskSizeGb: z.number().int().positive().optional(),
  network: z.string().default('default'),
  /** Network tags, which firewall rules name. */
  tags: z.array(z.string()).default([]),
  /** Labels of the instances; a template has none itself. */
  labels: Labels,
  metadata: z.record(z.string(), z.string()).default({}),
  /** The account that the instances act as; left out, they get no token. */
  serviceAccount: z.string().optional(),
  scopes: z.array(z.string()).default(['https://www.googleapis.com/auth/cloud-platform']),
  description: z.string().default(''),
})
export type InstanceTemplateProps = z.output<typeof InstanceTemplateProps>

export type InstanceTemplateAttributes = {
  readonly id: string
  readonly name: string
  readonly selfLink: string
  readonly machineType: string
  /** `projects/P/global/images/I` */
  readonly image: string
  /** 0: the image's size. */
  readonly diskSizeGb: number
  readonly network: string
  readonly tags: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly serviceAccount: string
  readonly scopes: readonly string[]
  readonly description: string
}
