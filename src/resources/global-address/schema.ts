/** Props and attributes of an external address that is reserved for load balancers. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const GlobalAddressProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Written once: Google changes no description of an address, and a new address would be another one. */
  description: z.string().default(''),
  labels: Labels,
})
export type GlobalAddressProps = z.output<typeof GlobalAddressProps>

export type GlobalAddressAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `203.0.113.7`, chosen by the cloud. */
  readonly address: string
  readonly addressType: string
  readonly labels: Readonly<Record<string, string>>
  readonly labelFingerprint: string
}
