/** Predefined roles of Resource Manager, without permissions on tags and policy bindings. https://cloud.google.com/iam/docs/roles-permissions/resourcemanager */

import type { RoleDefinition } from './types.ts'

export const resourcemanagerRoles: readonly RoleDefinition[] = [
  {
    name: 'roles/browser',
    title: 'Browser',
    description: 'Access to browse GCP resources.',
    permissions: [
      'resourcemanager.folders.get',
      'resourcemanager.folders.list',
      'resourcemanager.organizations.get',
      'resourcemanager.projects.get',
      'resourcemanager.projects.getIamPolicy',
      'resourcemanager.projects.list',
    ],
  },
  {
    name: 'roles/resourcemanager.projectCreator',
    title: 'Project Creator',
    description: 'Access to create new GCP projects.',
    permissions: ['resourcemanager.organizations.get', 'resourcemanager.projects.create'],
  },
  {
    name: 'roles/resourcemanager.projectDeleter',
    title: 'Project Deleter',
    description: 'Access to delete GCP projects.',
    permissions: ['resourcemanager.projects.delete'],
  },
  {
    name: 'roles/resourcemanager.projectIamAdmin',
    title: 'Project IAM Admin',
    description: 'Access and administer a project IAM policies.',
    permissions: ['resourcemanager.projects.get', 'resourcemanager.projects.getIamPolicy', 'resourcemanager.projects.setIamPolicy'],
  },
  {
    name: 'roles/resourcemanager.projectMover',
    title: 'Project Mover',
    description: 'Access to update and move a project',
    permissions: ['resourcemanager.projects.get', 'resourcemanager.projects.move', 'resourcemanager.projects.update'],
  },
]
