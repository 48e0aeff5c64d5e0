/** Props and attributes of a service account. */
import { z } from 'zod'

export const ServiceAccountProps = z.strictObject({
  projectId: z.string(),
  /** The part of the e-mail before the @. */
  accountId: z.string(),
  displayName: z.string().default(''),
  /** Service accounts have no labels; the description says whose it is. */
  description: z.string().default(''),
})
export type ServiceAccountProps = z.infer<typeof ServiceAccountProps>

export type ServiceAccountAttributes = {
  readonly email: string
  readonly uniqueId: string
  readonly displayName: string
  readonly description: string
  /** `serviceAccount:EMAIL`, as policies name it. */
  readonly member: string
}
