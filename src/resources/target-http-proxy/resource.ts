/** What a target HTTP proxy is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { TargetHttpProxyProps } from './schema.ts'

export const targetHttpProxyResource: Resource<TargetHttpProxyProps> = {
  kind: 'target-http-proxy',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: [],
}
