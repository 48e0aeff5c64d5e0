/** Props and attributes of a record set: all records of one type at one name. */
import { z } from 'zod'

export const DnsRecordSetProps = z.strictObject({
  projectId: z.string(),
  /** The zone's name in the project: `example-com`. */
  zone: z.string(),
  /** With its final dot: `www.example.com.` */
  name: z.string().endsWith('.'),
  type: z.enum(['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT']),
  ttlSeconds: z.number().int().min(0).max(2_147_483_647).default(300),
  /** The records' data as in a zone file, such as `203.0.113.7`. */
  data: z.array(z.string()).min(1),
})
export type DnsRecordSetProps = z.output<typeof DnsRecordSetProps>

export type DnsRecordSetAttributes = {
  readonly name: string
  readonly type: string
  readonly ttlSeconds: number
  readonly data: readonly string[]
}
