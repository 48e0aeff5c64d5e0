/** The fields of request bodies that this room reads. https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories */
import { z } from 'zod'

export const Repository = z.looseObject({
  name: z.string().optional(),
  format: z.string().optional(),
  mode: z.string().optional(),
  description: z.string().max(1024).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  kmsKeyName: z.string().optional(),
  cleanupPolicies: z.record(z.string(), z.unknown()).optional(),
  cleanupPolicyDryRun: z.boolean().optional(),
})
export type Repository = z.infer<typeof Repository>

const Binding = z.looseObject({ role: z.string(), members: z.array(z.string()).default([]), condition: z.record(z.string(), z.unknown()).optional() })

export const SetIamPolicy = z.looseObject({
  policy: z.looseObject({ bindings: z.array(Binding).default([]), etag: z.string().optional(), version: z.number().optional() }),
  updateMask: z.string().optional(),
})
export type SetIamPolicy = z.infer<typeof SetIamPolicy>

export const TestIamPermissions = z.looseObject({ permissions: z.array(z.string()).default([]) })
export type TestIamPermissions = z.infer<typeof TestIamPermissions>
