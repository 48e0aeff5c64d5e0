/** Predefined roles by service. https://cloud.google.com/iam/docs/understanding-roles */
import type { RoleDefinition } from './types.ts'

export const serviceRoles: readonly RoleDefinition[] = []
