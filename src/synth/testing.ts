/** The example with every section of the config, as synthesis takes it. */
import { stackWords } from '../compile/compilation.ts'
import { compileStack } from '../compile/compile.ts'
import { Stack } from '../config/schema.ts'
import type { StackInput } from '../config/schema.ts'
import type { SynthInput } from './input.ts'

export const example: StackInput = {
  project: { id: 'moshi-3', name: 'Moshi', billingAccount: '000000-AAAAAA-BBBBBB' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  apis: ['texttospeech.googleapis.com', 'speech.googleapis.com', 'translate.googleapis.com'],
  package: { source: './server', repository: 'pypi' },
  images: {
    python3: { debian: 'bookworm', packages: ['python3', 'python3-venv', 'python3-waitress'] },
    'moshi-srv': {
      from: 'python3',
      packages: ['ffmpeg'],
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
  buckets: { 'moshi-storage': { objects: { 'entrypoint.sh': './entrypoint.sh' } } },
  dev: { image: 'moshi-srv', name: 'moshi-dev', machineType: 'e2-small', serviceAccount: 'moshi-srv-sa', labels: { app: 'moshi', env: 'dev' } },
  server: { image: 'moshi-srv', machineType: 'e2-micro', size: 2, strategy: 'rolling', domains: ['dev.chatmoshi.com'], serviceAccount: 'moshi-srv-sa' },
  github: { repository: 'moshi/moshi', repositoryId: '123456789', branch: 'main', environment: 'production' },
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
  },
  auth: { providers: ['email', 'google'], google: { clientId: '1234-abc.apps.googleusercontent.com', clientSecret: 'env:GOOGLE_CLIENT_SECRET' } },
  secrets: { 'openai-key': { from: 'env:OPENAI_KEY', accessors: ['moshi-srv-sa'] } },
  dns: { zone: 'chatmoshi.com' },
}

const rules = `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /{document=**} {
      allow read, write: if false;
    }
  }
}
`

/** Facts as they would be read; `change` replaces sections. */
export function exampleInput(change: Partial<StackInput> = {}, more: Partial<SynthInput> = {}): SynthInput {
  const config = Stack.parse({ ...example, ...change })
  const stackDir = '/stack'
  const facts = { stackDir, packageName: 'moshi-server', files: { '/stack/entrypoint.sh': { md5: 'rL0Y20zC+Fzt72VPzMSk2A==' } }, texts: { '/stack/firestore.rules': rules } }
  return {
    config,
    desired: compileStack(config, facts),
    stackDir,
    ...stackWords(config, facts),
    images: {
      python3: { type: 'base', versions: { python3: '3.11.2-1+b1' } },
      'moshi-srv': {
        type: 'server',
        versions: {},
        unit: '[Service]\nUser=moshi\nExecStart=/opt/moshi/entrypoint.sh\n',
        unitName: 'moshi-srv.service',
        folder: '/opt/moshi-srv',
        uid: 880,
        hasAccount: false,
        modes: { './entrypoint.sh': 0o755 },
      },
    },
    imports: false,
    ...more,
  }
}
