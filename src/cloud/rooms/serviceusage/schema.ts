/** Request bodies of Service Usage v1. https://cloud.google.com/service-usage/docs/reference/rest */
import { z } from 'zod'

export const DisableServiceBody = z.looseObject({ disableDependentServices: z.boolean().optional() })
export const BatchEnableBody = z.looseObject({ serviceIds: z.array(z.string()).default([]) })
