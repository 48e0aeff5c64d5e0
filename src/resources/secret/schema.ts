/** Props and attributes of a secret's container. Its values never pass through a plan. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const SecretProps = z.strictObject({
  projectId: z.string(),
  secretId: z.string(),
  labels: Labels,
})
export type SecretProps = z.output<typeof SecretProps>

export type SecretAttributes = {
  /** `projects/NUMBER/secrets/ID` */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}
