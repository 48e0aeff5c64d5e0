/** What an enabled API is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { ServiceProps } from './schema.ts'

export const serviceResource: Resource<ServiceProps> = {
  kind: 'service',
  identity: (props) => ({ projectId: props.projectId, service: props.service }),
  replacing: [],
}

/** Disabling or reading APIs, and deleting the project, goes through these: turned off first, they would block the rest of a `destroy`. */
export const alwaysOn: readonly string[] = ['serviceusage.googleapis.com', 'cloudresourcemanager.googleapis.com', 'cloudbilling.googleapis.com']
