/** Props and attributes of an HTTP health check. */
import { z } from 'zod'

const seconds = z.number().int().min(1).max(300)
const threshold = z.number().int().min(1).max(10)

export const HealthCheckProps = z
  .strictObject({
    projectId: z.string(),
    name: z.string(),
    /** Asked with GET; only 200 is healthy. */
    requestPath: z.string().startsWith('/').default('/'),
    port: z.number().int().min(1).max(65_535),
    intervalSeconds: seconds.default(5),
    timeoutSeconds: seconds.default(5),
    /** So many good answers in a row make it healthy. */
    healthyThreshold: threshold.default(2),
    /** So many bad ones in a row make it unhealthy. */
    unhealthyThreshold: threshold.default(2),
    /** Health checks have no labels; the description says whose it is. */
    description: z.string().default(''),
  })
  .refine((props) => props.timeoutSeconds <= props.intervalSeconds, { path: ['timeoutSeconds'], error: 'must not be longer than intervalSeconds' })
export type HealthCheckProps = z.output<typeof HealthCheckProps>

export type HealthCheckAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `HTTP` */
  readonly type: string
  readonly requestPath: string
  /** 0: another port than a fixed one. */
  readonly port: number
  readonly intervalSeconds: number
  readonly timeoutSeconds: number
  readonly healthyThreshold: number
  readonly unhealthyThreshold: number
  readonly description: string
}
