/** What a URL map is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { UrlMapProps } from './schema.ts'

export const urlMapResource: Resource<UrlMapProps> = {
  kind: 'url-map',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: [],
}

/** The name of the path matcher behind a host rule, by its position. */
export function matcherName(index: number): string {
  return `hosts-${index + 1}`
}
