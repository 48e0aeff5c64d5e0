/**
 * The layers, as data. `node tools/make-lint-config.ts` writes .oxlintrc.json from it; the tidy test checks every import against it.
 * A folder may import from the folders that its row names, and from itself.
 */
export interface Layer {
  /** Folder below `src`, without trailing slash. */
  readonly folder: string
  readonly level: number
  readonly what: string
  readonly mayImport: readonly string[]
  /** Each folder directly below is on its own: none imports a sibling (rooms, resource kinds). */
  readonly isolatedMembers?: boolean
}

const below = ['base', 'host', 'store', 'vm'] as const
const everything = [
  'base',
  'host',
  'store',
  'vm',
  'image',
  'cloud/kernel',
  'cloud/front',
  'cloud/rooms',
  'client',
  'engine',
  'resources',
  'config',
  'compile',
  'synth',
  'release',
  'terraform',
  'packer',
  'pipeline',
  'github',
  'oidc',
] as const

export const layers: readonly Layer[] = [
  { folder: 'base', level: 0, what: 'errors, ids, units, waiting', mayImport: [] },
  { folder: 'host', level: 1, what: 'the only code that touches the machine: exec, files, ports, processes', mayImport: ['base'] },
  { folder: 'store', level: 1, what: 'SQLite, migrations, blobs', mayImport: ['base', 'host'] },
  { folder: 'oidc', level: 1, what: 'tokens of outside issuers: decoding, admission by a workload identity provider, CEL; pure but for fetching keys', mayImport: ['base'] },
  { folder: 'pipeline', level: 2, what: 'durable pipelines: one queue for each stack, stages that are recorded, logs', mayImport: ['base', 'host', 'store'] },
  { folder: 'vm', level: 2, what: 'virtual machines: QEMU, QMP, serial, metadata server', mayImport: ['base', 'host'] },
  { folder: 'image', level: 3, what: 'the offline baker', mayImport: ['base', 'host', 'vm'] },
  { folder: 'cloud/kernel', level: 3, what: 'HTTP server, tokens, IAM decision, operations, paging', mayImport: ['base', 'host', 'store', 'oidc'] },
  { folder: 'cloud/front', level: 3, what: 'the way in for unmodified tools: certificate authority, TLS, CONNECT proxy, gRPC', mayImport: ['base', 'host'] },
  { folder: 'cloud/rooms', level: 4, what: 'one room per Google service', mayImport: [...below, 'oidc', 'cloud/kernel'], isolatedMembers: true },
  { folder: 'client', level: 3, what: 'Google clients with root URL and credentials', mayImport: ['base'] },
  { folder: 'engine', level: 3, what: 'graph, plan, apply, inventory, lease', mayImport: ['base', 'host', 'store'] },
  { folder: 'resources', level: 4, what: 'one folder per resource kind', mayImport: ['base', 'engine', 'client'], isolatedMembers: true },
  { folder: 'config', level: 4, what: 'the typed file', mayImport: ['base', 'host', 'client'] },
  { folder: 'github', level: 4, what: 'GitHub: webhooks, reports back, the claims of its tokens', mayImport: ['base', 'client', 'oidc'] },
  { folder: 'compile', level: 5, what: 'pure: config to desired resources', mayImport: ['base', 'config', 'resources', 'engine'] },
  { folder: 'synth', level: 5, what: 'pure: desired resources to Terraform, Packer, workflows, Makefile', mayImport: ['base', 'config', 'compile', 'resources', 'engine'] },
  { folder: 'release', level: 5, what: 'ledger, deployer, rollback', mayImport: ['base', 'client', 'engine'] },
  { folder: 'terraform', level: 4, what: 'drives terraform or tofu by its JSON output', mayImport: ['base', 'host', 'client', 'engine'] },
  { folder: 'packer', level: 4, what: 'drives packer', mayImport: ['base', 'host'] },
  { folder: 'app', level: 6, what: 'the only place where concrete things are wired together', mayImport: everything },
  { folder: 'cli', level: 7, what: 'verbs and rendering', mayImport: ['base', 'app'] },
]

/** Packages that only one layer may import. */
export const onlyIn: Readonly<Record<string, readonly string[]>> = {
  'node:sqlite': ['store'],
  execa: ['host'],
  '@octokit/request': ['github'],
  '@marcbachmann/cel-js': ['oidc'],
  'node:child_process': ['host', 'vm', 'app', 'cli'],
  fastify: ['cloud/kernel', 'app'],
  '@peculiar/x509': ['cloud/front'],
  '@grpc/grpc-js': ['cloud/front', 'app'],
  commander: ['cli'],
  listr2: ['cli'],
  '@clack/prompts': ['cli'],
  picocolors: ['cli'],
}
