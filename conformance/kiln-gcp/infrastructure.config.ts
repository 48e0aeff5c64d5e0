/** A stack without a server: every kind of infrastructure, and one image. */
import { defineStack } from 'kiln'

const project = process.env['PROJECT'] ?? 'moshi-3'

export default defineStack({
  project: { id: project, name: 'Moshi', billingAccount: '000000-AAAAAA-BBBBBB' },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  package: { source: './server', repository: 'pypi' },
  images: { python3: { debian: 'bookworm', packages: ['python3'] } },
  serviceAccounts: { 'moshi-srv-sa': { displayName: 'The server itself', roles: ['roles/datastore.user', 'roles/secretmanager.secretAccessor'] } },
  buckets: { [`${project}-storage`]: { objects: { 'entrypoint.sh': './entrypoint.sh' } } },
  auth: { providers: ['email', 'google'], google: { clientId: '1234-abc.apps.googleusercontent.com', clientSecret: 'env:GOOGLE_CLIENT_SECRET' } },
  firestore: { location: 'nam5', rules: './firestore.rules', deleteProtection: false },
  secrets: { 'speech-key': { from: 'env:SPEECH_KEY', accessors: ['moshi-srv-sa'] } },
  github: { repository: 'moshi/server', repositoryId: '424242', branch: 'main' },
  dns: { zone: 'chatmoshi.com' },
})
