/** Predefined roles of Firebase Rules and Firebase Authentication, and the one for Firestore's indexes. https://firebase.google.com/docs/projects/iam/roles-predefined-product */

import type { RoleDefinition } from './types.ts'

const PROJECT_READ = ['resourcemanager.projects.get', 'resourcemanager.projects.list']
const RULES_READ = [
  'firebaserules.releases.get',
  'firebaserules.releases.getExecutable',
  'firebaserules.releases.list',
  'firebaserules.rulesets.get',
  'firebaserules.rulesets.list',
  'firebaserules.rulesets.test',
]
const AUTH_READ = ['firebase.projects.get', 'firebaseauth.configs.get', 'firebaseauth.users.get']

export const firebaseRoles: readonly RoleDefinition[] = [
  {
    name: 'roles/firebaserules.admin',
    title: 'Firebase Rules Admin',
    description: 'Full management of Firebase Rules.',
    permissions: [
      ...RULES_READ,
      'firebaserules.releases.create',
      'firebaserules.releases.delete',
      'firebaserules.releases.update',
      'firebaserules.rulesets.create',
      'firebaserules.rulesets.delete',
      ...PROJECT_READ,
    ],
  },
  {
    name: 'roles/firebaserules.viewer',
    title: 'Firebase Rules Viewer',
    description: 'Read-only access on all resources with the ability to test Rulesets.',
    permissions: [...RULES_READ, ...PROJECT_READ],
  },
  {
    name: 'roles/firebaseauth.admin',
    title: 'Firebase Authentication Admin',
    description: 'Full read/write access to Firebase Authentication resources.',
    permissions: [
      ...AUTH_READ,
      'firebaseauth.configs.create',
      'firebaseauth.configs.getHashConfig',
      'firebaseauth.configs.getSecret',
      'firebaseauth.configs.update',
      'firebaseauth.users.create',
      'firebaseauth.users.createSession',
      'firebaseauth.users.delete',
      'firebaseauth.users.sendEmail',
      'firebaseauth.users.update',
      ...PROJECT_READ,
    ],
  },
  {
    name: 'roles/firebaseauth.viewer',
    title: 'Firebase Authentication Viewer',
    description: 'Read-only access to Firebase Authentication resources.',
    permissions: [...AUTH_READ, ...PROJECT_READ],
  },
  {
    name: 'roles/datastore.indexAdmin',
    title: 'Cloud Datastore Index Admin',
    description: 'Full access to manage index definitions.',
    permissions: [
      'datastore.databases.getMetadata',
      'datastore.indexes.create',
      'datastore.indexes.delete',
      'datastore.indexes.get',
      'datastore.indexes.list',
      'datastore.indexes.update',
      'datastore.operations.get',
      'datastore.operations.list',
      'datastore.schemas.create',
      'datastore.schemas.delete',
      'datastore.schemas.get',
      'datastore.schemas.list',
      'datastore.schemas.update',
      ...PROJECT_READ,
    ],
  },
]
