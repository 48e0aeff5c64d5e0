/** What a target HTTPS proxy is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { TargetHttpsProxyProps } from './schema.ts'

export const targetHttpsProxyResource: Resource<TargetHttpsProxyProps> = {
  kind: 'target-https-proxy',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: [],
}
