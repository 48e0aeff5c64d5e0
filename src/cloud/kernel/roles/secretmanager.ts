/** Predefined roles of Secret Manager. https://cloud.google.com/secret-manager/docs/access-control */

import type { RoleDefinition } from './types.ts'

const PROJECT_READ = ['resourcemanager.projects.get', 'resourcemanager.projects.list']
const LOCATIONS = ['secretmanager.locations.get', 'secretmanager.locations.list']

export const secretmanagerRoles: readonly RoleDefinition[] = [
  {
    name: 'roles/secretmanager.admin',
    title: 'Secret Manager Admin',
    description: 'Full access to administer Secret Manager.',
    permissions: [
      ...LOCATIONS,
      'secretmanager.secrets.create',
      'secretmanager.secrets.delete',
      'secretmanager.secrets.get',
      'secretmanager.secrets.getIamPolicy',
      'secretmanager.secrets.list',
      'secretmanager.secrets.setIamPolicy',
      'secretmanager.secrets.update',
      'secretmanager.versions.access',
      'secretmanager.versions.add',
      'secretmanager.versions.destroy',
      'secretmanager.versions.disable',
      'secretmanager.versions.enable',
      'secretmanager.versions.get',
      'secretmanager.versions.list',
      ...PROJECT_READ,
    ],
  },
  {
    name: 'roles/secretmanager.secretAccessor',
    title: 'Secret Manager Secret Accessor',
    description: 'Access the payload of secrets.',
    permissions: ['secretmanager.versions.access', ...PROJECT_READ],
  },
  {
    name: 'roles/secretmanager.secretVersionAdder',
    title: 'Secret Manager Secret Version Adder',
    description: 'Add versions to existing secrets.',
    permissions: ['secretmanager.versions.add', ...PROJECT_READ],
  },
  {
    name: 'roles/secretmanager.secretVersionManager',
    title: 'Secret Manager Secret Version Manager',
    description: 'Create and manage versions of existing secrets.',
    permissions: [
      'secretmanager.versions.add',
      'secretmanager.versions.destroy',
      'secretmanager.versions.disable',
      'secretmanager.versions.enable',
      'secretmanager.versions.get',
      'secretmanager.versions.list',
      ...PROJECT_READ,
    ],
  },
  {
    name: 'roles/secretmanager.viewer',
    title: 'Secret Manager Viewer',
    description: 'View metadata of all Secret Manager resources.',
    permissions: [
      ...LOCATIONS,
      'secretmanager.secrets.get',
      'secretmanager.secrets.getIamPolicy',
      'secretmanager.secrets.list',
      'secretmanager.versions.get',
      'secretmanager.versions.list',
      ...PROJECT_READ,
    ],
  },
]
