/** Parts of an instance that its making and its changes check and complete in the same way. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { SchedulingBody, ShieldedBody } from './schema.ts'
import { requireName } from './service.ts'

/** @throws ApiError 400 */
export function requireTags(items: readonly string[] | null | undefined): string[] {
  const tags = [...new Set(items ?? [])]
  if (tags.length > 64) throw invalidArgument(`Invalid value for field 'resource.tags': ${tags.length} tags, and at most 64 are allowed.`)
  for (const tag of tags) requireName(tag, 'resource.tags.items')
  return tags
}

/** The scheduling options with Google's defaults. */
export function toScheduling(body: SchedulingBody | null | undefined): compute_v1.Schema$Scheduling {
  const preemptible = body?.preemptible === true || body?.provisioningModel === 'SPOT'
  const others = Object.fromEntries(Object.entries(body ?? {}).filter(([, value]) => value !== null && value !== undefined))
  return {
    ...others,
    automaticRestart: preemptible ? false : (body?.automaticRestart ?? true),
    onHostMaintenance: preemptible ? 'TERMINATE' : (body?.onHostMaintenance ?? 'MIGRATE'),
    preemptible,
    provisioningModel: body?.provisioningModel ?? 'STANDARD',
    ...(body?.provisioningModel === 'SPOT' ? { instanceTerminationAction: body.instanceTerminationAction ?? 'STOP' } : {}),
  }
}

/** The shielded options as they are shown; machines of the pocket cloud have neither secure boot nor a TPM. */
export function toShielded(body: ShieldedBody): compute_v1.Schema$ShieldedInstanceConfig {
  return { enableSecureBoot: body.enableSecureBoot === true, enableVtpm: body.enableVtpm !== false, enableIntegrityMonitoring: body.enableIntegrityMonitoring !== false }
}
