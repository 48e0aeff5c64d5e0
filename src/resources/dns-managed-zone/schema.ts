/** Props and attributes of a public DNS zone. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const DnsManagedZoneProps = z.strictObject({
  projectId: z.string(),
  /** The zone's name in the project: `example-com`. */
  name: z.string(),
  /** The domain, with its final dot: `example.com.` */
  dnsName: z.string().endsWith('.'),
  description: z.string().default(''),
  labels: Labels,
})
export type DnsManagedZoneProps = z.output<typeof DnsManagedZoneProps>

export type DnsManagedZoneAttributes = {
  readonly name: string
  readonly dnsName: string
  readonly description: string
  readonly visibility: string
  /** Whom the registrar of the domain must be told. */
  readonly nameServers: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}
