/** The example with every section of the config: what conformance synthesises. */
import { defineStack } from 'kiln'

const project = process.env['PROJECT'] ?? 'moshi-3'

export default defineStack({
  project: { id: project, name: 'Moshi' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  apis: ['texttospeech.googleapis.com', 'speech.googleapis.com', 'translate.googleapis.com'],
  package: { source: './server', repository: 'pypi' },
  images: {
    python3: { debian: 'bookworm', packages: ['python3', 'python3-venv', 'python3-waitress'] },
    'moshi-srv': {
      from: 'python3',
      python: ['moshi-server'],
      files: { './entrypoint.sh': '/opt/moshi/entrypoint.sh' },
      user: 'moshi',
      environment: { MOSHI_STATE_DIR: '/var/lib/moshi' },
      health: { path: '/healthz', port: 8080 },
    },
  },
  serviceAccounts: {
    'artifact-reader': { displayName: 'Downloads packages while images are baked', repositoryRoles: ['roles/artifactregistry.reader'] },
    'artifact-writer': { displayName: 'Publishes packages', repositoryRoles: ['roles/artifactregistry.writer'] },
    'moshi-srv-sa': { displayName: 'The server itself', roles: ['roles/datastore.user', 'roles/secretmanager.secretAccessor'] },
  },
  buckets: { [`${project}-storage`]: { objects: { 'entrypoint.sh': './entrypoint.sh' } } },
  dev: { image: 'moshi-srv', name: 'moshi-dev', machineType: 'e2-small', serviceAccount: 'moshi-srv-sa', labels: { app: 'moshi' } },
  server: { image: 'moshi-srv', machineType: 'e2-micro', size: 2, domains: ['dev.chatmoshi.com'], serviceAccount: 'moshi-srv-sa' },
  github: { repository: 'moshi/moshi', branch: 'main' },
  firestore: {
    location: 'nam5',
    rules: './firestore.rules',
    indexes: [
      {
        collectionGroup: 'lessons',
        fields: [
          { fieldPath: 'user', order: 'ASCENDING' },
          { fieldPath: 'time', order: 'DESCENDING' },
        ],
      },
    ],
    deleteProtection: false,
  },
  secrets: { 'speech-key': { from: 'env:SPEECH_KEY', accessors: ['moshi-srv-sa'] } },
  auth: { providers: ['email'] },
  dns: { zone: 'chatmoshi.com' },
})
