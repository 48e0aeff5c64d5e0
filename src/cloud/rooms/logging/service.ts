/** Writing and reading log entries, with a bound on what is kept. */
import { shortId } from '../../../base/ids.ts'
import { ApiError, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { normalTime, parseLogName, severityName, severityNumber, shownTime } from './schema.ts'
import type { EntryBody, ListBody, WriteBody } from './schema.ts'
import { parseFilter } from './service.filter.ts'
import type { LogEntry, LogStore, NewEntry, Position } from './store.ts'

export const LOGGING_SERVICE = 'logging.googleapis.com'

/** As in the _Default bucket. */
const KEEP_DAYS = 30
const FUTURE_HOURS = 24
/** https://cloud.google.com/logging/quotas: an entry has about 256 KB at most. */
const MAX_ENTRY_BYTES = 256 * 1024
/** Of these a project keeps the newest. */
const MAX_ENTRIES = 200_000
/** Old entries are looked for after this many new ones. */
const PRUNE_EVERY = 1000
const MAX_PAGE = 1000
/** A request that looked at so many entries answers with what it found and a token, as Google does. */
const MAX_SCANNED = 50_000
const SCAN_STEP = 1000

export interface LogService {
  /** The projects that a write needs the permission for. @throws ApiError 400 for a name that is none */
  projectsOf(body: WriteBody): readonly string[]
  /** All or none; with `partialSuccess` what is right. @throws ApiError 400 */
  write(body: WriteBody): void
  /** Of `projects/P` and `projects/P/locations/…/views/…`. @throws ApiError 400 */
  readProjects(body: ListBody): readonly string[]
  /** @throws ApiError 400 */
  list(projectIds: readonly string[], body: ListBody): { readonly entries: readonly LogEntry[]; readonly nextPageToken?: string }
  /** Full names, sorted. */
  logs(project: string): readonly string[]
  /** @throws ApiError 404 */
  removeLog(project: string, logId: string): void
}

export function createLogService(kernel: Kernel, store: LogStore): LogService {
  const { database, projects } = kernel
  let writtenSincePrune = PRUNE_EVERY

  function projectIdOf(project: string): string {
    const { projectId } = projects.requireActive(project, LOGGING_SERVICE)
    projects.requireService(projectId, LOGGING_SERVICE)
    return projectId
  }

  function toEntry(whole: WriteBody, body: EntryBody, now: number): NewEntry {
    const logName = body.logName ?? whole.logName
    if (logName === undefined || logName === null || logName === '') throw invalidArgument('Log entries have no log name: set log_name of the request or of each entry.')
    const { project, logId } = parseLogName(logName)
    const projectId = projectIdOf(project)
    const resource = body.resource ?? whole.resource
    if (typeof resource?.type !== 'string' || resource.type === '') throw invalidArgument('Log entries have no monitored resource: set resource of the request or of each entry.')
    const payloads = ['textPayload', 'jsonPayload', 'protoPayload'].filter((field) => body[field] !== undefined && body[field] !== null)
    if (payloads.length > 1) throw invalidArgument(`An entry has one payload: ${payloads.join(', ')}`)
    const severity = severityNumber(body.severity ?? 'DEFAULT')
    if (severity === undefined) throw invalidArgument(`Invalid value at 'entries.severity': ${String(body.severity)}`)
    const nowText = normalTime(new Date(now).toISOString()) ?? ''
    const time = body.timestamp === undefined || body.timestamp === null || body.timestamp === '' ? nowText : normalTime(body.timestamp)
    if (time === undefined) throw invalidArgument(`Invalid value at 'entries.timestamp': ${body.timestamp}`)
    if (time < normalDaysAgo(now, KEEP_DAYS)) throw invalidArgument(`Log entries with timestamps more than ${KEEP_DAYS} days ago are not written: ${body.timestamp}`)
    if (Date.parse(time) > now + FUTURE_HOURS * 3_600_000)
      throw invalidArgument(`Log entries with timestamps more than ${FUTURE_HOURS} hours in the future are not written: ${body.timestamp}`)
    const labels = { ...whole.labels, ...body.labels }
    const insertId = body.insertId === undefined || body.insertId === null || body.insertId === '' ? shortId(14) : body.insertId
    const entry: LogEntry = {
      ...body,
      logName: `projects/${projectId}/logs/${encodeURIComponent(logId)}`,
      resource: { ...resource, labels: { project_id: projectId, ...resource.labels } },
      timestamp: shownTime(time),
      receiveTimestamp: new Date(now).toISOString(),
      severity: severity === 0 ? undefined : severityName(severity),
      insertId,
      labels: Object.keys(labels).length === 0 ? undefined : labels,
    }
    if (Buffer.byteLength(JSON.stringify(entry)) > MAX_ENTRY_BYTES) throw invalidArgument(`Log entry is too large: an entry has at most ${MAX_ENTRY_BYTES} bytes.`)
    return { projectId, logId, time, insertId, entry }
  }

  function prune(projectIds: readonly string[], count: number): void {
    writtenSincePrune += count
    if (writtenSincePrune < PRUNE_EVERY) return
    writtenSincePrune = 0
    for (const projectId of projectIds) store.prune(projectId, normalDaysAgo(Date.now(), KEEP_DAYS), MAX_ENTRIES)
  }

  return {
    projectsOf(body) {
      const names = (body.entries ?? []).map((entry) => entry.logName ?? body.logName ?? '')
      return [...new Set(names.filter((name) => name !== '').map((name) => parseLogName(name).project))]
    },
    write(body) {
      const now = Date.now()
      const right: NewEntry[] = []
      const wrong = new Map<number, ApiError>()
      for (const [index, each] of (body.entries ?? []).entries()) {
        try {
          right.push(toEntry(body, each, now))
        } catch (error) {
          if (!(error instanceof ApiError)) throw error
          wrong.set(index, error)
        }
      }
      const [first] = wrong.values()
      if (first !== undefined && body.partialSuccess !== true) throw first
      if (body.dryRun !== true) {
        database.transaction(() => {
          for (const entry of right) store.insert(entry)
          prune([...new Set(right.map((entry) => entry.projectId))], right.length)
        })
      }
      if (first === undefined) return
      throw invalidArgument(`Some entries were not written: ${first.message}`, {
        details: [
          {
            '@type': 'type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors',
            logEntryErrors: Object.fromEntries([...wrong].map(([index, error]) => [index, { code: 3, message: error.message }])),
          },
        ],
      })
    },
    readProjects(body) {
      const names = [...(body.resourceNames ?? []), ...(body.projectIds ?? []).map((id) => `projects/${id}`)]
      if (names.length === 0) throw invalidArgument('resource_names is required: projects/PROJECT')
      const ids = names.map((name) => {
        const project = /^projects\/([^/]+)(\/locations\/[^/]+\/buckets\/[^/]+\/views\/[^/]+)?$/.exec(name)?.[1]
        if (project === undefined) throw invalidArgument(`Invalid resource name: ${name}. The pocket cloud has projects only.`)
        return projectIdOf(project)
      })
      return [...new Set(ids)]
    },
    list(projectIds, body) {
      const filter = parseFilter(body.filter ?? '')
      const orderBy = body.orderBy ?? 'timestamp asc'
      if (!/^timestamp( asc| desc)?$/.test(orderBy)) throw invalidArgument(`Invalid order_by: ${orderBy}. It is "timestamp asc" or "timestamp desc".`)
      const size = body.pageSize === undefined || body.pageSize === null || body.pageSize === 0 ? 50 : Math.min(body.pageSize, MAX_PAGE)
      if (size < 0) throw invalidArgument(`Invalid page_size: ${size}`)
      let after = fromToken(body.pageToken)
      const entries: LogEntry[] = []
      for (let scanned = 0; scanned < MAX_SCANNED; scanned += SCAN_STEP) {
        const rows = store.scan(projectIds, { from: filter.from, to: filter.to, after, isDescending: orderBy.endsWith('desc'), limit: SCAN_STEP })
        for (const row of rows) {
          if (entries.length === size && after !== undefined) return { entries, nextPageToken: toToken(after) }
          after = { time: row.time, id: row.id }
          if (filter.matches(row.entry)) entries.push(row.entry)
        }
        if (rows.length < SCAN_STEP) return { entries }
      }
      return after === undefined ? { entries } : { entries, nextPageToken: toToken(after) }
    },
    logs(project) {
      const projectId = projectIdOf(project)
      return store.logs(projectId).map((logId) => `projects/${projectId}/logs/${encodeURIComponent(logId)}`)
    },
    removeLog(project, logId) {
      if (store.removeLog(projectIdOf(project), logId) === 0) throw notFound(`Log ${logId} does not exist`)
    },
  }
}

function normalDaysAgo(now: number, days: number): string {
  return normalTime(new Date(now - days * 86_400_000).toISOString()) ?? ''
}

function toToken(position: Position): string {
  return Buffer.from(JSON.stringify([position.time, position.id])).toString('base64url')
}

function fromToken(token: string | null | undefined): Position | undefined {
  if (token === undefined || token === null || token === '') return undefined
  try {
    const [time, id] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [unknown, unknown]
    if (typeof time === 'string' && typeof id === 'number') return { time, id }
  } catch {
    // Not made here: refused below.
  }
  throw invalidArgument('page_token is not valid.')
}
