/** Tables of Cloud DNS: zones, their record sets as the API shows them, and their changes. What the name servers answer is in server/. */
import type { Database, Migrations } from '../../../store/database.ts'
import type { RecordType } from './service.rdata.ts'
import type { ZoneBody } from './schema.ts'

export const dnsMigrations: Migrations = {
  namespace: 'dns',
  steps: [
    `CREATE TABLE dns_zones (
       id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, dns_name TEXT NOT NULL, create_time TEXT NOT NULL, last_change INTEGER NOT NULL, config TEXT NOT NULL,
       UNIQUE (project_id, name)
     ) STRICT;
     CREATE TABLE dns_record_sets (
       zone_id TEXT NOT NULL REFERENCES dns_zones ON DELETE CASCADE, sort_name TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, ttl INTEGER NOT NULL, rrdatas TEXT NOT NULL,
       PRIMARY KEY (zone_id, sort_name, type)
     ) STRICT;
     CREATE TABLE dns_changes (
       zone_id TEXT NOT NULL REFERENCES dns_zones ON DELETE CASCADE, change_id INTEGER NOT NULL, start_time TEXT NOT NULL, done INTEGER NOT NULL, additions TEXT NOT NULL, deletions TEXT NOT NULL,
       PRIMARY KEY (zone_id, change_id)
     ) STRICT`,
  ],
}

export type ZoneConfig = Pick<ZoneBody, 'dnssecConfig' | 'cloudLoggingConfig' | 'privateVisibilityConfig'> & {
  readonly description: string
  readonly labels: Readonly<Record<string, string>>
  readonly visibility: 'public' | 'private'
  readonly nameServers: readonly string[]
}

export interface Zone {
  /** Decimal text. */
  readonly id: string
  readonly projectId: string
  readonly name: string
  /** Lower case, with the final dot. */
  readonly dnsName: string
  /** RFC 3339. */
  readonly createTime: string
  /** Number of the newest change; 0 is the one that made the zone. */
  readonly lastChange: number
  readonly config: ZoneConfig
}

export interface RecordSet {
  readonly name: string
  readonly type: RecordType
  /** Seconds. */
  readonly ttl: number
  /** In canonical form. */
  readonly rrdatas: readonly string[]
}

export interface Change {
  readonly zoneId: string
  readonly id: number
  readonly startTime: string
  readonly isDone: boolean
  readonly additions: readonly RecordSet[]
  readonly deletions: readonly RecordSet[]
}

interface ZoneRow {
  id: string
  project_id: string
  name: string
  dns_name: string
  create_time: string
  last_change: number
  config: string
}

interface RecordSetRow {
  name: string
  type: RecordType
  ttl: number
  rrdatas: string
}

interface ChangeRow {
  zone_id: string
  change_id: number
  start_time: string
  done: number
  additions: string
  deletions: string
}

export interface DnsStore {
  /** By name or id. */
  findZone(projectId: string, nameOrId: string): Zone | undefined
  zoneById(id: string): Zone | undefined
  /** Sorted by name. */
  listZones(projectId: string): readonly Zone[]
  /** Of all projects, oldest first. */
  allZones(): readonly Zone[]
  insertZone(zone: Zone): void
  updateZone(zone: Zone): void
  /** With all record sets and changes. */
  removeZone(id: string): void
  findSet(zoneId: string, name: string, type: string): RecordSet | undefined
  setsAt(zoneId: string, name: string): readonly RecordSet[]
  /** Sorted: the apex first, a name before the names below it. */
  listSets(zoneId: string): readonly RecordSet[]
  countSets(zoneId: string): number
  insertSet(zoneId: string, set: RecordSet): void
  removeSet(zoneId: string, set: RecordSet): void
  findChange(zoneId: string, id: number): Change | undefined
  /** Oldest first. */
  listChanges(zoneId: string): readonly Change[]
  insertChange(change: Change): void
  finishChange(zoneId: string, id: number): void
}

/** `www.example.com.` -> `com.example.www`, so that names sort from the root down. */
export function sortName(name: string): string {
  return name.split('.').filter(Boolean).reverse().join('.')
}

export function createDnsStore(database: Database): DnsStore {
  const zones = (sql: string, ...params: string[]): Zone[] => database.all<ZoneRow>(sql, ...params).map(toZone)
  return {
    findZone: (projectId, nameOrId) => zones('SELECT * FROM dns_zones WHERE project_id = ? AND (name = ? OR id = ?)', projectId, nameOrId, nameOrId)[0],
    zoneById: (id) => zones('SELECT * FROM dns_zones WHERE id = ?', id)[0],
    listZones: (projectId) => zones('SELECT * FROM dns_zones WHERE project_id = ? ORDER BY name', projectId),
    allZones: () => zones('SELECT * FROM dns_zones ORDER BY create_time, id'),
    insertZone(zone) {
      database.run(
        'INSERT INTO dns_zones VALUES (?, ?, ?, ?, ?, ?, ?)',
        zone.id,
        zone.projectId,
        zone.name,
        zone.dnsName,
        zone.createTime,
        zone.lastChange,
        JSON.stringify(zone.config),
      )
    },
    updateZone: (zone) => void database.run('UPDATE dns_zones SET last_change = ?, config = ? WHERE id = ?', zone.lastChange, JSON.stringify(zone.config), zone.id),
    removeZone: (id) => void database.run('DELETE FROM dns_zones WHERE id = ?', id),
    findSet(zoneId, name, type) {
      const row = database.get<RecordSetRow>('SELECT * FROM dns_record_sets WHERE zone_id = ? AND sort_name = ? AND type = ?', zoneId, sortName(name), type)
      return row === undefined ? undefined : toRecordSet(row)
    },
    setsAt: (zoneId, name) => database.all<RecordSetRow>('SELECT * FROM dns_record_sets WHERE zone_id = ? AND sort_name = ?', zoneId, sortName(name)).map(toRecordSet),
    listSets: (zoneId) => database.all<RecordSetRow>('SELECT * FROM dns_record_sets WHERE zone_id = ? ORDER BY sort_name, type', zoneId).map(toRecordSet),
    countSets: (zoneId) => database.get<{ count: number }>('SELECT count(*) AS count FROM dns_record_sets WHERE zone_id = ?', zoneId)?.count ?? 0,
    insertSet: (zoneId, set) =>
      void database.run('INSERT INTO dns_record_sets VALUES (?, ?, ?, ?, ?, ?)', zoneId, sortName(set.name), set.name, set.type, set.ttl, JSON.stringify(set.rrdatas)),
    removeSet: (zoneId, set) => void database.run('DELETE FROM dns_record_sets WHERE zone_id = ? AND sort_name = ? AND type = ?', zoneId, sortName(set.name), set.type),
    findChange(zoneId, id) {
      const row = database.get<ChangeRow>('SELECT * FROM dns_changes WHERE zone_id = ? AND change_id = ?', zoneId, id)
      return row === undefined ? undefined : toChange(row)
    },
    listChanges: (zoneId) => database.all<ChangeRow>('SELECT * FROM dns_changes WHERE zone_id = ? ORDER BY change_id', zoneId).map(toChange),
    insertChange(change) {
      database.run(
        'INSERT INTO dns_changes VALUES (?, ?, ?, ?, ?, ?)',
        change.zoneId,
        change.id,
        change.startTime,
        change.isDone ? 1 : 0,
        JSON.stringify(change.additions),
        JSON.stringify(change.deletions),
      )
    },
    finishChange: (zoneId, id) => void database.run('UPDATE dns_changes SET done = 1 WHERE zone_id = ? AND change_id = ?', zoneId, id),
  }
}

function toZone(row: ZoneRow): Zone {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    dnsName: row.dns_name,
    createTime: row.create_time,
    lastChange: row.last_change,
    config: JSON.parse(row.config) as ZoneConfig,
  }
}

function toRecordSet(row: RecordSetRow): RecordSet {
  return { name: row.name, type: row.type, ttl: row.ttl, rrdatas: JSON.parse(row.rrdatas) as string[] }
}

function toChange(row: ChangeRow): Change {
  return {
    zoneId: row.zone_id,
    id: row.change_id,
    startTime: row.start_time,
    isDone: row.done === 1,
    additions: JSON.parse(row.additions) as RecordSet[],
    deletions: JSON.parse(row.deletions) as RecordSet[],
  }
}
