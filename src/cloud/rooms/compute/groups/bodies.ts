/** From a template to the body of an instance, and what it takes to bring an instance from one template to another. Pure. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { sameJson } from '../../../../base/json.ts'
import { lastSegment } from '../links.ts'
import type { UpdateAction } from './policy.ts'

type Properties = compute_v1.Schema$InstanceProperties

/** Labels and metadata that a group gives to all its instances, over those of the template. */
export type AllInstancesConfig = compute_v1.Schema$InstanceGroupManagerAllInstancesConfig

export interface BodyParts {
  readonly name: string
  readonly properties: Properties
  readonly config?: AllInstancesConfig
  /** `projects/NUMBER/global/instanceTemplates/NAME` */
  readonly templatePath: string
  /** `projects/NUMBER/zones/Z/instanceGroupManagers/NAME` */
  readonly managerPath: string
}

/** The metadata items of an instance of a group: the template's, the group's, and who made it, as Google adds it. */
export function metadataOf(parts: Omit<BodyParts, 'name'>): { key: string; value: string }[] {
  const items = new Map<string, string>()
  for (const item of parts.properties.metadata?.items ?? []) if (item?.key) items.set(item.key, item.value ?? '')
  for (const [key, value] of Object.entries(parts.config?.properties?.metadata ?? {})) items.set(key, value)
  items.set('instance-template', parts.templatePath)
  items.set('created-by', parts.managerPath)
  return [...items].map(([key, value]) => ({ key, value }))
}

export function labelsOf(parts: Pick<BodyParts, 'properties' | 'config'>): Record<string, string> {
  return { ...parts.properties.labels, ...parts.config?.properties?.labels }
}

/** What instances.insert is called with. */
export function instanceBody(parts: BodyParts): compute_v1.Schema$Instance {
  const { properties } = parts
  return {
    ...properties,
    name: parts.name,
    // A template's fingerprints belong to the template.
    metadata: { items: metadataOf(parts) },
    labels: labelsOf(parts),
    tags: { items: properties.tags?.items ?? [] },
  }
}

/** The least disruptive action that brings an instance from one template to the other. https://cloud.google.com/compute/docs/instance-groups/updating-migs (minimal action) */
export function neededAction(from: Properties | undefined, to: Properties): UpdateAction {
  if (from === undefined) return 'REPLACE'
  if (!sameJson(frame(from), frame(to))) return 'REPLACE'
  if (lastSegment(from.machineType ?? '') !== lastSegment(to.machineType ?? '')) return 'RESTART'
  return sameJson(surface(from), surface(to)) ? 'NONE' : 'REFRESH'
}

/** What only a new instance can take over. */
function frame(properties: Properties): unknown {
  const { metadata: _metadata, labels: _labels, tags: _tags, machineType: _machineType, description: _description, ...rest } = properties
  return rest
}

/** What a running instance can take over. */
function surface(properties: Properties): unknown {
  const items = Object.fromEntries((properties.metadata?.items ?? []).map((item) => [item.key ?? '', item.value ?? '']))
  return { items, labels: properties.labels ?? {}, tags: [...(properties.tags?.items ?? [])].toSorted() }
}
