/** Makes docs/api-coverage.md from Google's descriptions and our route tables: `node tools/make-api-coverage.ts` writes it, a test compares it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TableRow } from '../src/cloud/kernel/fault-routes.ts'
import { findMethod, templateOfRoute } from '../src/cloud/kernel/descriptions/method.ts'
import type { GoogleMethod } from '../src/cloud/kernel/descriptions/method.ts'
import { describedMethods } from '../src/cloud/kernel/descriptions/services.ts'
import { root } from './imports.ts'
import { wholeTable } from './whole-cloud.ts'

interface Coverage {
  readonly service: string
  /** Undefined: no package describes the service. */
  readonly methods: readonly GoogleMethod[] | undefined
  readonly done: ReadonlySet<GoogleMethod>
  /** Routes that no description has: bytes, redirects, hosts of their own. */
  readonly others: readonly TableRow[]
}

/** What each service has and lacks, joined by HTTP method and path. */
export function coverageOf(table: readonly TableRow[]): readonly Coverage[] {
  const services = [...new Set(table.map(({ room }) => room.service))].sort()
  return services.map((service) => {
    const methods = describedMethods(service)
    const done = new Set<GoogleMethod>()
    const others: TableRow[] = []
    for (const row of table.filter(({ room }) => room.service === service)) {
      const method = findMethod(methods ?? [], row.route.method, row.route.path)
      if (method === undefined) others.push(row)
      else done.add(method)
    }
    return { service, methods, done, others }
  })
}

/** The whole page. */
export function coverageText(table: readonly TableRow[]): string {
  const coverage = coverageOf(table)
  return `${[
    '# API coverage',
    '',
    'Every method that Google describes of the services that the pocket cloud serves: done, or answered with 501 `UNIMPLEMENTED` and the name of the method.',
    'Made by `node tools/make-api-coverage.ts` from the route tables and from Google’s descriptions in the packages `@googleapis/*` and `google-proto-files` (of Cloud DNS an extract of `googleapis`); a test keeps it true. Do not edit it.',
    '',
    '| Service | Methods | Done |',
    '| --- | ---: | ---: |',
    ...coverage.map(
      ({ service, methods, done }) => `| ${service} | ${methods === undefined ? 'not described' : idsOf(methods).length} | ${methods === undefined ? '' : idsOf(done).length} |`,
    ),
    '',
    ...coverage.flatMap(section),
  ]
    .join('\n')
    .trimEnd()}\n`
}

function section({ service, methods, done, others }: Coverage): readonly string[] {
  return [
    `## ${service}`,
    '',
    ...(methods === undefined ? ['No package describes this service; what is served:', ''] : groupTable(methods, done)),
    ...otherTable(others, methods !== undefined),
  ]
}

function groupTable(methods: readonly GoogleMethod[], done: ReadonlySet<GoogleMethod>): readonly string[] {
  const versions = new Set(methods.map(versionOf))
  const label = (method: GoogleMethod): string => (versions.size > 1 ? `${method.group} ${versionOf(method)}` : method.group)
  const groups = Map.groupBy(methods, label)
  const verbs = (members: readonly GoogleMethod[], wanted: (id: string) => boolean): string =>
    idsOf(members)
      .filter(wanted)
      .map((id) => `\`${id.slice(id.lastIndexOf('.') + 1)}\``)
      .join(', ')
  return [
    '| Group | Done | 501 |',
    '| --- | --- | --- |',
    ...[...groups]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, members]) => {
        const served = new Set(members.filter((method) => done.has(method)).map((method) => method.id))
        return `| \`${name}\` | ${verbs(members, (id) => served.has(id))} | ${verbs(members, (id) => !served.has(id))} |`
      }),
    '',
  ]
}

function otherTable(others: readonly TableRow[], described: boolean): readonly string[] {
  if (others.length === 0) return []
  return [
    ...(described ? ['Served besides (bytes, and hosts that have no description):', ''] : []),
    '| Method | Request |',
    '| --- | --- |',
    ...others.map(({ room, route }) => `| \`${route.id}\` | \`${route.method} ${hostOf(room, route.host)}${templateOfRoute(route.path)}\` |`),
    '',
  ]
}

function hostOf(room: TableRow['room'], name: string | undefined): string {
  const match = (room.hosts.find((host) => host.name === name) ?? room.hosts[0])?.match
  return typeof match === 'string' ? match : `<${name ?? room.id}>`
}

function versionOf(method: GoogleMethod): string {
  return /\/(v\d\w*)\//.exec(`${method.paths[0]}/`)?.[1] ?? ''
}

/** Without repetition: a method with two HTTP verbs is one. */
function idsOf(methods: Iterable<GoogleMethod>): readonly string[] {
  return [...new Set([...methods].map((method) => method.id))].sort()
}

if (import.meta.main) writeFileSync(join(root, 'docs/api-coverage.md'), coverageText(await wholeTable()))
