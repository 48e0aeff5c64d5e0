/** https://cloud.google.com/artifact-registry/docs/access-control and the permissions page of IAM. */
import type { RoleDefinition } from './types.ts'

const read = [
  'artifactregistry.files.download',
  'artifactregistry.files.get',
  'artifactregistry.files.list',
  'artifactregistry.locations.get',
  'artifactregistry.locations.list',
  'artifactregistry.packages.get',
  'artifactregistry.packages.list',
  'artifactregistry.pythonpackages.get',
  'artifactregistry.pythonpackages.list',
  'artifactregistry.repositories.downloadArtifacts',
  'artifactregistry.repositories.get',
  'artifactregistry.repositories.list',
  'artifactregistry.versions.get',
  'artifactregistry.versions.list',
]
const write = [...read, 'artifactregistry.files.upload', 'artifactregistry.repositories.uploadArtifacts']
const administrate = [
  ...write,
  'artifactregistry.files.delete',
  'artifactregistry.packages.delete',
  'artifactregistry.repositories.deleteArtifacts',
  'artifactregistry.versions.delete',
]

export const artifactRegistryRoles: readonly RoleDefinition[] = [
  { name: 'roles/artifactregistry.reader', title: 'Artifact Registry Reader', description: 'Access to read repository items.', permissions: read },
  { name: 'roles/artifactregistry.writer', title: 'Artifact Registry Writer', description: 'Access to read and write repository items.', permissions: write },
  {
    name: 'roles/artifactregistry.repoAdmin',
    title: 'Artifact Registry Repository Administrator',
    description: 'Access to manage artifacts in repositories.',
    permissions: administrate,
  },
  {
    name: 'roles/artifactregistry.admin',
    title: 'Artifact Registry Administrator',
    description: 'Administrator access to create and manage repositories.',
    permissions: [
      ...administrate,
      'artifactregistry.repositories.create',
      'artifactregistry.repositories.delete',
      'artifactregistry.repositories.getIamPolicy',
      'artifactregistry.repositories.setIamPolicy',
      'artifactregistry.repositories.update',
    ],
  },
]
