/**
 * What is written in `kiln.config.ts`, with the doc comments that an editor shows while it is written (types inferred from a schema lose theirs).
 * The schema is checked against these types, in both directions, at the end of `schema.ts`.
 */
import type { bucketMultiRegions, firestoreMultiRegions, Region, Zone } from './data/locations.ts'

export interface StackInput {
  /** The Google Cloud project. */
  project: ProjectInput
  /** Region and zone. */
  location: LocationInput
  /** Google APIs to enable, beside those that the stack itself needs. Default: none. */
  apis?: string[]
  /** The Python package that the server is. Default: the folder `./server`, published to the repository `pypi`. */
  package?: PackageInput
  /** Golden images by name; the name is also the image family. */
  images: Record<string, BaseImageInput | ServerImageInput>
  /** Service accounts by name (the part before the @). Default: none. */
  serviceAccounts?: Record<string, ServiceAccountInput>
  /** Cloud Storage buckets by name. Default: none. */
  buckets?: Record<string, BucketInput>
  /** The development VM. Default: none is started. */
  dev?: DevInput
  /** The production group behind a load balancer. Default: none. With it, `kiln up` leaves the development VM to `kiln dev`. */
  server?: ServerInput
  /** The GitHub repository that may publish, bake and deploy without any key. Default: none. */
  github?: GithubInput
  /** The Firestore database. Default: none. */
  firestore?: FirestoreInput
  /** Sign-in of the app's users, with Identity Platform (Firebase Authentication). Default: none. */
  auth?: AuthInput
  /** Values in Secret Manager by name. The config says where they come from; they are in no plan, log or state. Default: none. */
  secrets?: Record<string, SecretInput>
  /** The DNS zone, with the addresses of the server's domains in it. Default: none. */
  dns?: DnsInput
}

/** The Google Cloud project. */
export interface ProjectInput {
  /** The project's id, unique in all of Google Cloud. It is made when it does not exist. */
  id: string
  /** The name shown in the console. Default: the id. */
  name?: string
  /** The billing account to link, such as 012345-6789AB-CDEF01. Default: none is linked. */
  billingAccount?: string
}

/** Where things run. */
export interface LocationInput {
  /** The region of the repository, buckets and network. */
  region: Region
  /** The zone of VMs; it must lie in the region. Default: the region's first zone. */
  zone?: Zone
}

/** The Python package that the server is. */
export interface PackageInput {
  /** The folder with pyproject.toml, relative to this file. Default: `./server`. */
  source?: string
  /** The private Python repository's name in Artifact Registry. Default: `pypi`. */
  repository?: string
}

/** An image made from a Debian suite. */
export interface BaseImageInput {
  /** The Debian suite. */
  debian: 'bullseye' | 'bookworm' | 'trixie'
  /** Debian packages beside those that every image has (kernel, systemd, ssh, guest agent). Default: none. */
  packages?: string[]
  /**
   * What makes the image on Google Cloud: `offline` bakes it on this machine, boots it there as its test, and imports it; `packer` drives Packer with the template of
   * `ops/packer`, and a VM of the project is the test. The pocket cloud always bakes. Default: `offline`.
   */
  engine?: 'offline' | 'packer'
}

/** An image made on top of another image, with a server in it. */
export interface ServerImageInput {
  /** The image of this config that this one is made from. */
  from: string
  /** Debian packages beside those of `from`. Default: none. */
  packages?: string[]
  /** Python packages from the stack's own repository, installed into the image's virtual environment at their newest published version. Default: none. */
  python?: string[]
  /** Files to put into the image: path beside the config -> absolute path in the image. The mode is kept. Default: none. */
  files?: Record<string, string>
  /** Absolute path in the image of the program that systemd starts. Default: the one file in `files` whose name is `entrypoint.sh`. */
  entrypoint?: string
  /** The account that the server runs as; made in the image, without login. Default: `app`. */
  user?: string
  /** Environment of the server, beside PORT and KILN_VENV, which Kiln sets. Not for secrets: everything here is readable in the image. Default: none. */
  environment?: Record<string, string>
  /** Where the server says that it is well. Default: `/healthz` on port 8080. */
  health?: HealthInput
  /**
   * What makes the image on Google Cloud: `offline` bakes it on this machine, boots it there as its test, and imports it; `packer` drives Packer with the template of
   * `ops/packer`, and a VM of the project is the test. The pocket cloud always bakes. Default: `offline`.
   */
  engine?: 'offline' | 'packer'
}

/** Where the server says that it is well. Boot tests, `kiln up` and later the load balancer ask it. */
export interface HealthInput {
  /** Path that answers 200 when the server is ready. Default: `/healthz`. */
  path?: string
  /** TCP port that the server listens on; given to it as the variable PORT. Default: 8080. */
  port?: number
  /** How long a start may take until the server answers, in seconds: boot tests and `kiln up` give up after it. Default: 600. */
  timeoutSeconds?: number
}

/** An account that programs act as, and what it may do. */
export interface ServiceAccountInput {
  /** The name shown in the console, up to 100 characters. Default: the account's name. */
  displayName?: string
  /** Roles on the whole project. Default: none. */
  roles?: string[]
  /**
   * Roles on the stack's Python repository only, such as `roles/artifactregistry.reader` (download packages)
   * or `roles/artifactregistry.writer` (publish them). Prefer this to the same role on the project. Default: none.
   */
  repositoryRoles?: string[]
}

/** A Cloud Storage bucket and the objects that Kiln keeps in it. */
export interface BucketInput {
  /** A region, or `us`, `eu`, `asia`. Default: the stack's region. */
  location?: Region | (typeof bucketMultiRegions)[number]
  /** Object name -> local file, relative to this file. Uploaded when its bytes differ. Default: none. */
  objects?: Record<string, string>
}

/** The development VM: always from the newest image of a family. */
export interface DevInput {
  /** The image to run: one of `images` that has a server in it. */
  image: string
  /** The VM's name. Default: the image's name with `-dev` behind it. */
  name?: string
  /** Compute Engine machine type. Default: `e2-small`. */
  machineType?: string
  /** The account of `serviceAccounts` that the VM acts as. Default: none, the VM gets no token. */
  serviceAccount?: string
  /** Metadata that the VM finds under instance/attributes. Default: none. */
  metadata?: Record<string, string>
  /** Labels of the VM. Default: none. */
  labels?: Record<string, string>
}

/** The production group behind a load balancer, and how its releases go out. */
export interface ServerInput {
  /** The image to run: one of `images` that has a server in it. */
  image: string
  /** Compute Engine machine type. Default: `e2-micro`. */
  machineType?: string
  /** Number of VMs. Default: 1. */
  size?: number
  /** The account of `serviceAccounts` that the VMs act as. Default: none. */
  serviceAccount?: string
  /** Domain names that lead to the group, over HTTPS with a managed certificate; plain requests for them are sent there. Default: none; the bare address leads to it always. */
  domains?: string[]
  /** Metadata that the VMs find under instance/attributes; a change of it is a release. Default: none. */
  metadata?: Record<string, string>
  /** Labels of the VMs. Default: none. */
  labels?: Record<string, string>
  /**
   * How a new release replaces the old one. `rolling`: VM by VM, a new one serves before an old one goes. `canary`: a part of the group first, the rest
   * when it stayed good. `blue-green`: a second group, whole and healthy before one change moves all requests; the old one stays for the way back. Default: `rolling`.
   */
  strategy?: 'rolling' | 'canary' | 'blue-green'
  /** For the strategy `canary`. */
  canary?: CanaryInput
  /** How long the whole new version is watched before it is live, in seconds: when it fails, the group goes back by itself. Default: 60. */
  bakeSeconds?: number
  /**
   * The largest share of requests that may fail (5xx) at the load balancer while a release is watched, in percent: of its users' and of Kiln's own, each by
   * itself. Users' are counted by Cloud Monitoring, on Google with some minutes of delay: watch for 300 seconds or more to have them judged there. Default: 1.
   */
  maxErrorPercent?: number
  /** Where every VM says its version, as text or as JSON with a member `version`: each must say that of the release. Asked where this machine reaches the VMs, as on the pocket cloud. `false`: not asked. Default: `/version`. */
  versionPath?: string | false
  /** How long a VM that leaves may still answer the requests that it has, in seconds. Default: 30. */
  drainSeconds?: number
  /** How many releases that served can be brought back by `kiln rollback`; older ones lose image and template. Default: 5. */
  keepReleases?: number
  /** Times at which no release goes out; `kiln rollback` always may. Default: none. */
  freezes?: FreezeInput[]
}

/** The part of the group that gets a new release first. */
export interface CanaryInput {
  /** How much of the group, rounded up to whole VMs; at least one VM, never all. Default: 10. */
  percent?: number
  /** How long it is watched before the rest follows, in seconds. Default: 60. */
  bakeSeconds?: number
}

/** A time at which no release goes out. */
export interface FreezeInput {
  /** Begin: a time such as 2026-12-24T18:00:00Z; with `days`, a time of day such as 17:00. */
  from: string
  /** End, likewise; with `days` it may lie past midnight. */
  to: string
  /** Every week on these days. Default: once. */
  days?: ('Mon' | 'Tue' | 'Wed' | 'Thu' | 'Fri' | 'Sat' | 'Sun')[]
  /** For `days`. Default: UTC. */
  timeZone?: string
  /** Shown to whoever is refused. */
  why: string
}

/**
 * The GitHub repository that delivers: its workflows get short-lived tokens of a service account by OpenID Connect (no key anywhere).
 * `kiln up` shows the names of the provider and of the account, which a workflow is configured with.
 */
export interface GithubInput {
  /** `OWNER/REPO`. */
  repository: string
  /**
   * The repository's number: `gh api repos/OWNER/REPO --jq .id`. With it, nobody who takes over the name gets in. Default: the name alone decides.
   */
  repositoryId?: string
  /** The branch whose workflows may deliver. Default: `main`. */
  branch?: string
  /** The GitHub environment that the workflow's job must run in, for approvals. Default: any, or none. */
  environment?: string
}

/** The Firestore database of the project, its composite indexes and its security rules. */
export interface FirestoreInput {
  /** A region, or `nam5`, `nam7`, `eur3`. It can never be changed. */
  location: Region | (typeof firestoreMultiRegions)[number]
  /** File with the security rules, relative to this file, such as `./firestore.rules`. They bind apps that reach the database directly, not servers. Default: none. */
  rules?: string
  /** Composite indexes, or the path of a `firestore.indexes.json` as Firebase's tools write it. Default: none. */
  indexes?: string | FirestoreIndexInput[]
  /** While it is true, neither `kiln destroy` nor anybody else can delete the database with its documents. Default: true. */
  deleteProtection?: boolean
}

/** A composite index, in the form of `firestore.indexes.json`. */
export interface FirestoreIndexInput {
  /** The name of the collection, whatever its parent. */
  collectionGroup: string
  /** `COLLECTION`: queries of one collection; `COLLECTION_GROUP`: of all of that name. Default: `COLLECTION`. */
  queryScope?: 'COLLECTION' | 'COLLECTION_GROUP'
  /** Two fields or more, in the order of the query; each with `order`, or with `arrayConfig` for `array-contains`. */
  fields: { fieldPath: string; order?: 'ASCENDING' | 'DESCENDING'; arrayConfig?: 'CONTAINS' }[]
}

/** Sign-in of the app's users. */
export interface AuthInput {
  /** How users sign in. */
  providers: ('email' | 'phone' | 'anonymous' | 'google')[]
  /** Domains to which a sign-in may lead back, beside localhost, those of Firebase for the project, and the server's. Default: none. */
  authorizedDomains?: string[]
  /** The OAuth client of the provider `google`. Default: none. */
  google?: GoogleSignInInput
}

/** An OAuth client: https://console.cloud.google.com/apis/credentials */
export interface GoogleSignInInput {
  /** Such as `1234-abc.apps.googleusercontent.com`. */
  clientId: string
  /** Where its secret is: `env:VARIABLE`, or `file:./path` relative to this file. When it is not there, a secret that is set already stays. */
  clientSecret: string
}

/** A value in Secret Manager. */
export interface SecretInput {
  /** Where the value is: `env:VARIABLE`, or `file:./path` relative to this file. When it is not there, the newest version that is set already stays. */
  from: string
  /** Accounts of `serviceAccounts` that may read this secret, and no other. Default: none. */
  accessors?: string[]
  /** What happens to older versions when a new value comes. Default: `disable`, which can be undone. */
  oldVersions?: 'disable' | 'destroy' | 'keep'
}

/** The DNS zone, and in it the addresses of the server's domains. */
export interface DnsInput {
  /** The zone's domain name. Its registrar must be told the zone's name servers, once. */
  zone: string
}
