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
