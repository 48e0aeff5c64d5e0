/** Request bodies of Resource Manager v1 and v3. https://cloud.google.com/resource-manager/reference/rest */
import { z } from 'zod'

const labels = z.record(z.string(), z.string()).optional()

export const CreateProjectV1 = z.looseObject({ projectId: z.string().default(''), name: z.string().optional(), labels, parent: z.unknown().optional() })
export const UpdateProjectV1 = z.looseObject({ name: z.string().optional(), labels })
export const CreateProjectV3 = z.looseObject({ projectId: z.string().default(''), displayName: z.string().optional(), labels, parent: z.unknown().optional() })
export const PatchProjectV3 = z.looseObject({ displayName: z.string().optional(), labels, etag: z.string().optional() })
