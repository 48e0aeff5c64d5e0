/** Predefined roles of Service Usage, without permissions on quotas and policies. https://cloud.google.com/iam/docs/roles-permissions/serviceusage */

import type { RoleDefinition } from './types.ts'

export const serviceusageRoles: readonly RoleDefinition[] = [
  {
    name: 'roles/serviceusage.serviceUsageAdmin',
    title: 'Service Usage Admin',
    description: 'Ability to enable, disable, and inspect service states, inspect operations, and consume quota and billing for a consumer project.',
    permissions: [
      'serviceusage.operations.get',
      'serviceusage.services.disable',
      'serviceusage.services.enable',
      'serviceusage.services.get',
      'serviceusage.services.list',
      'serviceusage.services.use',
    ],
  },
  {
    name: 'roles/serviceusage.serviceUsageConsumer',
    title: 'Service Usage Consumer',
    description: 'Ability to inspect service states and operations, and consume quota and billing for a consumer project.',
    permissions: ['serviceusage.operations.get', 'serviceusage.services.get', 'serviceusage.services.list', 'serviceusage.services.use'],
  },
  {
    name: 'roles/serviceusage.serviceUsageViewer',
    title: 'Service Usage Viewer',
    description: 'Ability to inspect service states and operations for a consumer project.',
    permissions: ['serviceusage.operations.get', 'serviceusage.services.get', 'serviceusage.services.list'],
  },
]
