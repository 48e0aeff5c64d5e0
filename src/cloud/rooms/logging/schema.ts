/** Bodies of Cloud Logging, and its times. https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries */
import { z } from 'zod'
import { invalidArgument } from '../../kernel/api-error.ts'

const Text = z.string().nullish()
const TextMap = z.record(z.string(), z.string()).nullish()
const ResourceBody = z.looseObject({ type: Text, labels: TextMap })

export const EntryBody = z.looseObject({
  logName: Text,
  resource: ResourceBody.nullish(),
  timestamp: Text,
  severity: z.union([z.string(), z.number()]).nullish(),
  insertId: Text,
  labels: TextMap,
  textPayload: Text,
  jsonPayload: z.record(z.string(), z.unknown()).nullish(),
  protoPayload: z.record(z.string(), z.unknown()).nullish(),
})
export type EntryBody = z.infer<typeof EntryBody>

export const WriteBody = z.looseObject({
  logName: Text,
  resource: ResourceBody.nullish(),
  labels: TextMap,
  entries: z.array(EntryBody).nullish(),
  partialSuccess: z.boolean().nullish(),
  dryRun: z.boolean().nullish(),
})
export type WriteBody = z.infer<typeof WriteBody>

export const ListBody = z.looseObject({
  resourceNames: z.array(z.string()).nullish(),
  projectIds: z.array(z.string()).nullish(),
  filter: Text,
  orderBy: Text,
  pageSize: z.coerce.number().int().nullish(),
  pageToken: Text,
})
export type ListBody = z.infer<typeof ListBody>

/** Names by number, in rising order. https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity */
const severities = new Map([
  ['DEFAULT', 0],
  ['DEBUG', 100],
  ['INFO', 200],
  ['NOTICE', 300],
  ['WARNING', 400],
  ['ERROR', 500],
  ['CRITICAL', 600],
  ['ALERT', 700],
  ['EMERGENCY', 800],
])

/** The number of a severity given by name or number; undefined for neither. */
export function severityNumber(severity: string | number): number | undefined {
  const known = severities.get(String(severity).toUpperCase())
  if (known !== undefined) return known
  const number = Number(severity)
  return [...severities.values()].includes(number) ? number : undefined
}

export function severityName(number: number): string {
  return [...severities].find(([, value]) => value === number)?.[0] ?? 'DEFAULT'
}

/** A time in UTC with nine digits of fraction, so that texts sort as times do; undefined for what is no RFC 3339 time. A date alone is its beginning. */
export function normalTime(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?)?$/.exec(text)
  if (match === null) return undefined
  const [, date = '', time = '00:00:00', fraction = '', zone = 'Z'] = match
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`)
  return Number.isNaN(ms) ? undefined : `${new Date(ms).toISOString().slice(0, 19)}.${fraction.padEnd(9, '0')}Z`
}

/** As Google prints times: no, three, six or nine digits of fraction. */
export function shownTime(normal: string): string {
  return normal.replace(/(?:\.000000000|(\.\d{3})000000|(\.\d{6})000)Z$/, '$1$2Z')
}

/** Project and log id of `projects/P/logs/ID`, whose id may be percent-encoded. @throws ApiError 400 */
export function parseLogName(name: string): { readonly project: string; readonly logId: string } {
  const [, project = '', encoded = ''] = /^projects\/([^/]+)\/logs\/([^?#]+)$/.exec(name) ?? []
  let logId = ''
  try {
    logId = decodeURIComponent(encoded)
  } catch {
    // Not percent-encoded as it should be: reported below.
  }
  if (project === '' || !/^[\w./-]{1,511}$/.test(logId))
    throw invalidArgument(`Log name ${JSON.stringify(name.slice(0, 200))} is not of the form projects/PROJECT/logs/LOG_ID, whose LOG_ID is URL-encoded.`)
  return { project, logId }
}
