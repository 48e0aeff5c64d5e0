/** Time series of the one metric that is here, in Google's form. */
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { conditionsOf } from './service.filter.ts'

export const REQUEST_COUNT = 'loadbalancing.googleapis.com/https/request_count'
const RESOURCE = 'https_lb_rule'

export interface ListedSeries {
  /** Its place in lists. */
  readonly key: string
  /** https://cloud.google.com/monitoring/api/ref_v3/rest/v3/TimeSeries */
  readonly body: Readonly<Record<string, unknown>>
}

export interface TimeSeriesService {
  /** @throws ApiError 400; 501 for metrics and parameters that are not here */
  list(projectId: string, query: Readonly<Record<string, string | undefined>>): readonly ListedSeries[]
}

export function createTimeSeriesService(kernel: Kernel): TimeSeriesService {
  return {
    list(projectId, query) {
      const unknown = Object.keys(query).find((name) => /^(aggregation|secondaryAggregation)\.|^orderBy$/.test(name))
      if (unknown !== undefined) throw absent(`the parameter ${unknown} of timeSeries.list`)
      const conditions = conditionsOf(query['filter'] ?? '')
      const type = conditions.get('metric.type')
      if (type === undefined) throw invalidArgument('Field filter had an invalid value: it must specify a single metric type, as metric.type = "…".')
      if (type !== REQUEST_COUNT) throw absent(`the metric ${type}`)
      const endMs = timeOf(query, 'interval.endTime')
      const startMs = query['interval.startTime'] === undefined ? endMs : timeOf(query, 'interval.startTime')
      if (startMs > endMs) throw invalidArgument('Field interval had an invalid value: its start time is after its end time.')
      const isWanted = (names: Readonly<Record<string, string>>): boolean => [...conditions].every(([name, value]) => name === 'metric.type' || names[name] === value)
      return kernel.ports
        .use('requestCounts')
        .list(projectId)
        .flatMap(({ backendService, codeClass, points }) => {
          const metric = { type: REQUEST_COUNT, labels: { response_code_class: String(codeClass) } }
          const resource = { type: RESOURCE, labels: { project_id: projectId, backend_target_name: backendService, backend_target_type: 'BACKEND_SERVICE' } }
          const inside = points.filter((point) => point.endMs > startMs && point.endMs <= endMs)
          if (inside.length === 0 || !isWanted(namesOf(metric, resource))) return []
          const shown = query['view'] === 'HEADERS' ? {} : { points: inside.toReversed().map(pointBody) }
          return [{ key: `${backendService} ${codeClass}`, body: { metric, resource, metricKind: 'DELTA', valueType: 'INT64', ...shown } }]
        })
    },
  }
}

interface Typed {
  readonly type: string
  readonly labels: Readonly<Record<string, string>>
}

/** `resource.labels.project_id`, and the older `resource.label.project_id`, -> value. */
function namesOf(metric: Typed, resource: Typed): Readonly<Record<string, string>> {
  const ofOne = (prefix: string, { type, labels }: Typed): readonly (readonly [string, string])[] => [
    [`${prefix}.type`, type],
    ...Object.entries(labels).flatMap(([name, value]): readonly (readonly [string, string])[] => [
      [`${prefix}.labels.${name}`, value],
      [`${prefix}.label.${name}`, value],
    ]),
  ]
  return Object.fromEntries([...ofOne('metric', metric), ...ofOne('resource', resource)])
}

function pointBody({ startMs, endMs, count }: { readonly startMs: number; readonly endMs: number; readonly count: number }): object {
  return { interval: { startTime: new Date(startMs).toISOString(), endTime: new Date(endMs).toISOString() }, value: { int64Value: String(count) } }
}

function timeOf(query: Readonly<Record<string, string | undefined>>, name: string): number {
  const time = Date.parse(query[name] ?? '')
  if (Number.isNaN(time)) throw invalidArgument(`Field ${name} had an invalid value of "${query[name] ?? ''}": it must be a time as of RFC 3339.`)
  return time
}

function absent(what: string): ApiError {
  return new ApiError('UNIMPLEMENTED', `The pocket cloud does not have ${what}. Of Cloud Monitoring it has raw points of ${REQUEST_COUNT}.`)
}
