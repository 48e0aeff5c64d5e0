/** Moshi, a server for spoken language lessons: from Python source to a running VM. `kiln up examples/moshi` does the rest. */
import { defineStack } from 'kiln'

export default defineStack({
  project: { id: 'moshi-3', name: 'Moshi', billingAccount: '000000-AAAAAA-BBBBBB' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  // Those that the stack itself needs (Compute Engine, Artifact Registry, IAM …) are enabled without being named.
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

  // Users sign in by e-mail; lessons can be kept in Firestore, whose rules bind apps that reach it directly. An example may lose its documents with `kiln destroy`.
  auth: { providers: ['email'] },
  firestore: {
    location: 'nam5',
    rules: './firestore.rules',
    indexes: [
      {
        collectionGroup: 'utterances',
        fields: [
          { fieldPath: 'speaker', order: 'ASCENDING' },
          { fieldPath: 'time', order: 'DESCENDING' },
        ],
      },
    ],
    deleteProtection: false,
  },

  // Workflows of this repository's branch get short-lived tokens that can publish, bake and deploy; there is no key. Put your own here.
  github: { repository: 'OWNER/moshi', branch: 'main' },

  buckets: { 'moshi-storage': { objects: { 'entrypoint.sh': './entrypoint.sh' } } },

  // Two VMs behind a load balancer: `kiln up` makes them, `kiln deploy` and `kiln rollback` bring releases out and back.
  server: {
    image: 'moshi-srv',
    machineType: 'e2-micro',
    size: 2,
    serviceAccount: 'moshi-srv-sa',
    labels: { app: 'moshi', env: 'prod' },
    strategy: 'rolling',
    // A demonstration has less patience than production: there, a minute of watching is the default.
    bakeSeconds: 5,
    drainSeconds: 10,
  },

  // One VM for trying things out: `kiln dev`.
  dev: { image: 'moshi-srv', name: 'moshi-dev', machineType: 'e2-small', serviceAccount: 'moshi-srv-sa', labels: { app: 'moshi', env: 'dev' } },
})
