/**
 * The services that a project can enable: name, title as Google shows it, and the services that come with it. Knowing a service here does not mean that the
 * pocket cloud has a room for it: calls to one without a room end with 501 or an unknown host.
 */
import { defaultServices } from '../../kernel/default-services.ts'

export interface KnownService {
  readonly name: string
  readonly title: string
  /** Enabled together with this one; cannot be disabled while this one is enabled. */
  readonly needs: readonly string[]
}

const titles: Readonly<Record<string, string>> = {
  aiplatform: 'Vertex AI API',
  analyticshub: 'Analytics Hub API',
  apikeys: 'API Keys API',
  appengine: 'App Engine Admin API',
  artifactregistry: 'Artifact Registry API',
  bigquery: 'BigQuery API',
  bigqueryconnection: 'BigQuery Connection API',
  bigquerydatapolicy: 'BigQuery Data Policy API',
  bigquerydatatransfer: 'BigQuery Data Transfer API',
  bigquerymigration: 'BigQuery Migration API',
  bigqueryreservation: 'BigQuery Reservation API',
  bigquerystorage: 'BigQuery Storage API',
  certificatemanager: 'Certificate Manager API',
  cloudapis: 'Google Cloud APIs',
  cloudasset: 'Cloud Asset API',
  cloudbilling: 'Cloud Billing API',
  cloudbuild: 'Cloud Build API',
  cloudfunctions: 'Cloud Functions API',
  cloudidentity: 'Cloud Identity API',
  cloudkms: 'Cloud Key Management Service (KMS) API',
  cloudresourcemanager: 'Cloud Resource Manager API',
  cloudscheduler: 'Cloud Scheduler API',
  cloudtasks: 'Cloud Tasks API',
  cloudtrace: 'Cloud Trace API',
  compute: 'Compute Engine API',
  container: 'Kubernetes Engine API',
  containeranalysis: 'Container Analysis API',
  containerregistry: 'Container Registry API',
  dataform: 'Dataform API',
  dataplex: 'Cloud Dataplex API',
  datastore: 'Cloud Datastore API',
  deploymentmanager: 'Cloud Deployment Manager V2 API',
  dns: 'Cloud DNS API',
  domains: 'Cloud Domains API',
  eventarc: 'Eventarc API',
  fcm: 'Firebase Cloud Messaging API',
  firebase: 'Firebase Management API',
  firebaserules: 'Firebase Rules API',
  firebasestorage: 'Cloud Storage for Firebase API',
  firestore: 'Cloud Firestore API',
  generativelanguage: 'Generative Language API',
  iam: 'Identity and Access Management (IAM) API',
  iamcredentials: 'IAM Service Account Credentials API',
  iap: 'Cloud Identity-Aware Proxy API',
  identitytoolkit: 'Identity Toolkit API',
  language: 'Cloud Natural Language API',
  logging: 'Cloud Logging API',
  monitoring: 'Cloud Monitoring API',
  networkmanagement: 'Network Management API',
  networkservices: 'Network Services API',
  networksecurity: 'Network Security API',
  oslogin: 'Cloud OS Login API',
  osconfig: 'OS Config API',
  pubsub: 'Cloud Pub/Sub API',
  redis: 'Google Cloud Memorystore for Redis API',
  run: 'Cloud Run Admin API',
  secretmanager: 'Secret Manager API',
  securetoken: 'Token Service API',
  servicecontrol: 'Service Control API',
  servicemanagement: 'Service Management API',
  servicenetworking: 'Service Networking API',
  serviceusage: 'Service Usage API',
  speech: 'Cloud Speech-to-Text API',
  'sql-component': 'Cloud SQL',
  sqladmin: 'Cloud SQL Admin API',
  storage: 'Cloud Storage API',
  'storage-api': 'Google Cloud Storage JSON API',
  'storage-component': 'Cloud Storage',
  storagetransfer: 'Storage Transfer API',
  sts: 'Security Token Service API',
  texttospeech: 'Cloud Text-to-Speech API',
  translate: 'Cloud Translation API',
  videointelligence: 'Cloud Video Intelligence API',
  vision: 'Cloud Vision API',
  vpcaccess: 'Serverless VPC Access API',
  websecurityscanner: 'Web Security Scanner API',
  workflows: 'Workflows API',
}

const needs: Readonly<Record<string, readonly string[]>> = {
  'cloudapis.googleapis.com': defaultServices.filter((name) => name !== 'cloudapis.googleapis.com'),
  'compute.googleapis.com': ['oslogin.googleapis.com'],
  'container.googleapis.com': ['compute.googleapis.com'],
  'iam.googleapis.com': ['iamcredentials.googleapis.com'],
}

export const knownServices: ReadonlyMap<string, KnownService> = new Map(
  Object.entries(titles)
    .map(([short, title]): KnownService => {
      const name = `${short}.googleapis.com`
      return { name, title, needs: needs[name] ?? [] }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((service) => [service.name, service]),
)
