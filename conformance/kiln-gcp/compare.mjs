/**
 * Two clouds row by row: `compare.mjs LEFT.db RIGHT.db`. Both are dumped whole; what may differ is listed here, each with its reason, and everything else must not.
 * Ends with 1 and the differences when there are any.
 */
import { DatabaseSync } from 'node:sqlite'

/** Tables that are no state of the cloud. */
const tables = {
  kiln_migrations: 'of the program, not of the cloud',
  sqlite_sequence: 'counters of SQLite',
  tokens: 'who is signed in at the moment',
  operations: 'how it came about: two engines call in another order, and one in other portions',
  compute_requests: 'ids of calls that were answered, kept against repetitions',
  storage_uploads: 'uploads in the middle',
  blob_refs: 'follows from the objects and files that are compared',
  issuer_key: "a data folder's own key",
  identitytoolkit_keys: "a data folder's own key",
  project_times: 'times',
  compute_balancer_addresses: 'which loopback address stands for which name is drawn by lot',
  dns_changes: 'how it came about',
  logging_entries: 'what VMs wrote',
  compute_group_errors: 'what went wrong on the way and was repeated',
}

/** By the name of a column or a key within a record, wherever it stands. */
const keys = {
  id: 'drawn by lot',
  unique_id: 'drawn by lot',
  generated_id: 'drawn by lot',
  uid: 'drawn by lot',
  etag: 'drawn by lot, or made of what is drawn',
  fingerprint: 'made of what is drawn',
  instanceId: 'drawn by lot',
  sourceImageId: 'drawn by lot',
  fileId: 'drawn by lot',
  managerId: 'drawn by lot',
  selfLinkWithId: 'has an id in it',
  zone_id: 'drawn by lot',
  index_id: 'drawn by lot',
  ruleset_id: 'drawn by lot',
  ruleset_name: 'has an id in it',
  generation: 'a time',
  archiveSizeBytes: 'of the archive of an empty disk, which has a time in it',
  privateKey: 'drawn by lot',
  certificate: "of a data folder's own authority",
  api_key: 'drawn by lot',
  hash_key: 'drawn by lot',
}
/** The same, said or left out: what Google takes when it is not told, by key. One engine says it, the other does not. */
const defaults = {
  diskType: 'pd-standard',
  name: 'External NAT',
  hostRules: [],
  pathMatchers: [],
  lifecycle: { rule: [] },
  anonymous: { enabled: false },
  phoneNumber: { enabled: false },
}
/** Rows that are there on one side only, by what their bucket is called. */
const oneSided = { '-kiln-state': "Terraform's memory of what it made" }
const times = /(^|[_a-z])([tT]ime(stamp)?|_at|At|created|updated|Timestamp)(_[a-z]+)?$/

const [left, right] = process.argv.slice(2).map(dump)
const differences = []
for (const table of [...new Set([...Object.keys(left.rows), ...Object.keys(right.rows)])].sort()) compareTable(table, left.rows[table] ?? [], right.rows[table] ?? [])
for (const difference of differences) console.log(difference)
console.log(`${Object.values(left.rows).flat().length} rows of ${Object.keys(left.rows).length} tables compared, ${differences.length} differences`)
process.exitCode = differences.length === 0 ? 0 : 1

function dump(path) {
  const database = new DatabaseSync(path, { readOnly: true })
  const read = (sql) => database.prepare(sql).all()
  const [project] = read("SELECT project_id, project_number FROM projects WHERE project_id NOT LIKE '%-cloud'")
  const rows = {}
  for (const { name } of read("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")) {
    if (name in tables) continue
    rows[name] = read(`SELECT * FROM "${name}"`)
      .filter((row) => !Object.keys(oneSided).some((suffix) => String((name === 'storage_buckets' ? row.name : row.bucket) ?? '').endsWith(suffix)))
      .filter((row) => !Object.keys(oneSided).some((suffix) => String(row.resource ?? '').endsWith(suffix)))
      .map((row) => normal(row, project.project_number))
      .sort((one, other) => (text(one) < text(other) ? -1 : 1))
  }
  return { rows }
}

/** The same without what may differ. */
function normal(value, number) {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (typeof value === 'string') {
    if (/^[[{]/.test(value)) {
      try {
        return normal(JSON.parse(value), number)
      } catch {
        // text that only looks like it
      }
    }
    return value
      .replaceAll(number, 'PROJECT-NUMBER')
      .replaceAll(/\b127\.\d+\.\d+\.\d+\b/g, 'ADDRESS')
      .replaceAll(/\b10\.\d+\.\d+\.\d+\b/g, 'INTERNAL-ADDRESS')
  }
  if (Array.isArray(value)) return value.map((item) => normal(item, number))
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, member]) => !(key in keys) && !times.test(key) && !(key in defaults && text(member) === text(defaults[key])))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, member]) => [normal(key, number), normal(member, number)]),
  )
}

function text(value) {
  return JSON.stringify(value)
}

/** Rows that are the same on both sides go; of the others, those that look most alike are held side by side. */
function compareTable(table, ours, theirs) {
  const rest = theirs.map((row) => ({ row, text: text(row) }))
  const alone = ours.filter((row) => {
    const at = rest.findIndex((other) => other.text === text(row))
    if (at >= 0) rest.splice(at, 1)
    return at < 0
  })
  for (const row of alone) {
    const name = nameOf(row)
    const at = rest.findIndex((other) => nameOf(other.row) === name)
    if (at < 0) differences.push(`${table} ${name}: only on the left`)
    else for (const [path, one, other] of leaves(row, rest.splice(at, 1)[0].row)) differences.push(`${table} ${name}: ${path}: ${text(one)} | ${text(other)}`)
  }
  for (const { row } of rest) differences.push(`${table} ${nameOf(row)}: only on the right`)
}

function nameOf(row) {
  return ['project_id', 'scope', 'collection', 'bucket', 'resource', 'email', 'name', 'service', 'repository', 'zone', 'type', 'database', 'secret', 'version']
    .flatMap((key) => (row[key] === undefined || typeof row[key] === 'object' ? [] : [row[key]]))
    .join('/')
}

function leaves(one, other, path = '') {
  if (text(one) === text(other)) return []
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return [[path, one, other]]
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((key) => leaves(one[key], other[key], path === '' ? key : `${path}.${key}`))
}
