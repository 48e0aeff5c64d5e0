/** What the command line renders of deliveries. */
export type { Delivery } from '../../pipeline/inbox.ts'
export type { Pipeline } from '../../pipeline/types.ts'
