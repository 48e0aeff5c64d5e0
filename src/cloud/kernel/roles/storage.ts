/** Predefined roles of Cloud Storage, for the methods that exist here. https://cloud.google.com/storage/docs/access-control/iam-roles */

import type { RoleDefinition } from './types.ts'

const MULTIPART = ['storage.multipartUploads.abort', 'storage.multipartUploads.create', 'storage.multipartUploads.list', 'storage.multipartUploads.listParts']
const FOLDERS_READ = ['storage.managedFolders.get', 'storage.managedFolders.list']
const OBJECT_READ = ['storage.objects.get', 'storage.objects.list', ...FOLDERS_READ]
const OBJECT_WRITE = ['storage.objects.create', 'storage.objects.delete', 'storage.objects.get', 'storage.objects.list', 'storage.objects.update', ...FOLDERS_READ]
const OBJECT_ADMIN = [...OBJECT_WRITE, 'storage.objects.getIamPolicy', 'storage.objects.setIamPolicy', 'storage.objects.overrideUnlockedRetention', 'storage.objects.setRetention']
const PROJECT_READ = ['resourcemanager.projects.get', 'resourcemanager.projects.list']

export const storageRoles: readonly RoleDefinition[] = [
  {
    name: 'roles/storage.admin',
    title: 'Storage Admin',
    description: 'Full control of buckets and objects.',
    permissions: [
      'storage.buckets.create',
      'storage.buckets.delete',
      'storage.buckets.get',
      'storage.buckets.getIamPolicy',
      'storage.buckets.list',
      'storage.buckets.setIamPolicy',
      'storage.buckets.update',
      ...OBJECT_ADMIN,
      ...MULTIPART,
      ...PROJECT_READ,
    ],
  },
  { name: 'roles/storage.objectAdmin', title: 'Storage Object Admin', description: 'Full control of objects.', permissions: [...OBJECT_ADMIN, ...MULTIPART, ...PROJECT_READ] },
  {
    name: 'roles/storage.objectUser',
    title: 'Storage Object User',
    description: 'Create, read, update and delete objects.',
    permissions: [...OBJECT_WRITE, ...MULTIPART, ...PROJECT_READ],
  },
  {
    name: 'roles/storage.objectViewer',
    title: 'Storage Object Viewer',
    description: 'View objects and their metadata, and list them.',
    permissions: [...OBJECT_READ, ...PROJECT_READ],
  },
  {
    name: 'roles/storage.objectCreator',
    title: 'Storage Object Creator',
    description: 'Create objects, without viewing or replacing any.',
    permissions: ['storage.objects.create', 'storage.multipartUploads.abort', 'storage.multipartUploads.create', 'storage.multipartUploads.listParts', ...PROJECT_READ],
  },
  {
    name: 'roles/storage.bucketViewer',
    title: 'Storage Bucket Viewer',
    description: 'View buckets and their metadata.',
    permissions: ['storage.buckets.get', 'storage.buckets.list'],
  },
  {
    name: 'roles/storage.legacyBucketReader',
    title: 'Storage Legacy Bucket Reader',
    description: 'Read bucket metadata and list objects.',
    permissions: ['storage.buckets.get', 'storage.managedFolders.get', 'storage.managedFolders.list', 'storage.objects.list', 'storage.multipartUploads.list'],
  },
  {
    name: 'roles/storage.legacyBucketWriter',
    title: 'Storage Legacy Bucket Writer',
    description: 'Read bucket metadata, and create, list and delete objects.',
    permissions: ['storage.buckets.get', 'storage.objects.create', 'storage.objects.delete', 'storage.objects.list', 'storage.objects.setRetention', ...MULTIPART],
  },
  {
    name: 'roles/storage.legacyBucketOwner',
    title: 'Storage Legacy Bucket Owner',
    description: 'Read and change a bucket, and create, list and delete objects.',
    permissions: [
      'storage.buckets.get',
      'storage.buckets.getIamPolicy',
      'storage.buckets.setIamPolicy',
      'storage.buckets.update',
      'storage.objects.create',
      'storage.objects.delete',
      'storage.objects.list',
      'storage.objects.setRetention',
      ...MULTIPART,
    ],
  },
  { name: 'roles/storage.legacyObjectReader', title: 'Storage Legacy Object Reader', description: 'View objects, without listing them.', permissions: ['storage.objects.get'] },
  {
    name: 'roles/storage.legacyObjectOwner',
    title: 'Storage Legacy Object Owner',
    description: 'View and change objects, without listing them.',
    permissions: [
      'storage.objects.get',
      'storage.objects.getIamPolicy',
      'storage.objects.overrideUnlockedRetention',
      'storage.objects.setIamPolicy',
      'storage.objects.setRetention',
      'storage.objects.update',
    ],
  },
]
