/** Request bodies of templates and groups: only the fields that are read. */
import { z } from 'zod'
import { InstanceBody } from '../schema.ts'

const text = z.string().nullish()
const size = z.number().int()

export const TemplateBody = z.looseObject({ name: text, description: text, sourceInstance: text, properties: InstanceBody.nullish() })
export type TemplateBody = z.infer<typeof TemplateBody>

const NamedPort = z.looseObject({ name: z.string(), port: z.number().int() })
export const NamedPortsBody = z.looseObject({ namedPorts: z.array(NamedPort).nullish(), fingerprint: text })
export type NamedPortsBody = z.infer<typeof NamedPortsBody>

export const GroupBody = z.looseObject({ name: text, description: text, network: text, subnetwork: text, namedPorts: z.array(NamedPort).nullish() })
export type GroupBody = z.infer<typeof GroupBody>

export const GroupInstancesBody = z.looseObject({ instances: z.array(z.looseObject({ instance: z.string() })).nullish() })
export const ListInstancesBody = z.looseObject({ instanceState: text }).nullish()

const FixedOrPercent = z.looseObject({ fixed: z.number().nullish(), percent: z.number().nullish() })

const UpdatePolicy = z.looseObject({
  type: text,
  minimalAction: text,
  mostDisruptiveAllowedAction: text,
  replacementMethod: text,
  maxSurge: FixedOrPercent.nullish(),
  maxUnavailable: FixedOrPercent.nullish(),
})

const Version = z.looseObject({ name: text, instanceTemplate: text, targetSize: FixedOrPercent.nullish() })

export const ManagerBody = z.looseObject({
  name: text,
  description: text,
  baseInstanceName: text,
  instanceTemplate: text,
  versions: z.array(Version).nullish(),
  targetSize: size.nullish(),
  namedPorts: z.array(NamedPort).nullish(),
  updatePolicy: UpdatePolicy.nullish(),
  autoHealingPolicies: z.array(z.looseObject({ healthCheck: text, initialDelaySec: z.number().int().nullish() })).nullish(),
  instanceLifecyclePolicy: z.looseObject({ defaultActionOnFailure: text, forceUpdateOnRepair: text, onFailedHealthCheck: text }).nullish(),
  allInstancesConfig: z
    .looseObject({ properties: z.looseObject({ labels: z.record(z.string(), z.string()).nullish(), metadata: z.record(z.string(), z.string()).nullish() }).nullish() })
    .nullish(),
  targetPools: z.array(z.string()).nullish(),
  statefulPolicy: z.looseObject({ preservedState: z.looseObject({}).nullish() }).nullish(),
  fingerprint: text,
})
export type ManagerBody = z.infer<typeof ManagerBody>

export const InstancesBody = z.looseObject({ instances: z.array(z.string()).nullish(), skipInstancesOnValidationError: z.boolean().nullish() })
export type InstancesBody = z.infer<typeof InstancesBody>

export const CreateInstancesBody = z.looseObject({ instances: z.array(z.looseObject({ name: z.string() })).nullish() })

export const ApplyUpdatesBody = z.looseObject({
  instances: z.array(z.string()).nullish(),
  allInstances: z.boolean().nullish(),
  minimalAction: text,
  mostDisruptiveAllowedAction: text,
})
export type ApplyUpdatesBody = z.infer<typeof ApplyUpdatesBody>

export const SetTemplateBody = z.looseObject({ instanceTemplate: text })
export const SetTargetPoolsBody = z.looseObject({ targetPools: z.array(z.string()).nullish(), fingerprint: text })
