/** Props and attributes of an API that is enabled in a project. */
import { z } from 'zod'

export const ServiceProps = z.strictObject({
  projectId: z.string(),
  /** `compute.googleapis.com` */
  service: z.string(),
})
export type ServiceProps = z.infer<typeof ServiceProps>

export type ServiceAttributes = {
  readonly service: string
  readonly state: string
}
