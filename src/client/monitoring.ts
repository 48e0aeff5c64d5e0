/** Cloud Monitoring (REST v3): what load balancers answered. https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list */
import type { Transport } from './transport.ts'

/** Requests that a load balancer answered in a stretch of time, of one class of answers. */
export interface AnsweredRequests {
  /** 200, 300 … */
  readonly codeClass: number
  readonly startMs: number
  readonly endMs: number
  readonly count: number
}

/** Every method throws as `Transport.send` does. */
export interface Monitoring {
  /** Of one backend service, in stretches that overlap the time since then. On Google they are a minute long and come some minutes late. */
  answeredRequests(projectId: string, backendService: string, sinceMs: number, options?: { readonly signal?: AbortSignal }): Promise<readonly AnsweredRequests[]>
}

interface TimeSeriesPage {
  readonly timeSeries?: readonly {
    readonly metric?: { readonly labels?: Readonly<Record<string, string>> }
    readonly points?: readonly {
      readonly interval?: { readonly startTime?: string; readonly endTime?: string }
      readonly value?: { readonly int64Value?: string }
    }[]
  }[]
  readonly nextPageToken?: string
}

const metric = 'loadbalancing.googleapis.com/https/request_count'

export function createMonitoring(transport: Transport): Monitoring {
  return {
    async answeredRequests(projectId, backendService, sinceMs, options = {}) {
      const found: AnsweredRequests[] = []
      let pageToken = ''
      do {
        const query = new URLSearchParams({
          filter: `metric.type = "${metric}" AND resource.labels.backend_target_name = "${backendService}"`,
          'interval.startTime': new Date(sinceMs).toISOString(),
          'interval.endTime': new Date().toISOString(),
          ...(pageToken === '' ? {} : { pageToken }),
        })
        const page = await transport.json<TimeSeriesPage>('GET', `https://monitoring.googleapis.com/v3/projects/${projectId}/timeSeries?${query}`, {
          ...options,
          quotaProject: projectId,
        })
        for (const series of page.timeSeries ?? []) {
          const codeClass = Number(series.metric?.labels?.['response_code_class'])
          for (const { interval, value } of series.points ?? []) {
            const [startMs, endMs] = [Date.parse(interval?.startTime ?? ''), Date.parse(interval?.endTime ?? '')]
            found.push({ codeClass, startMs, endMs, count: Number(value?.int64Value ?? 0) })
          }
        }
        pageToken = page.nextPageToken ?? ''
      } while (pageToken !== '')
      return found
    },
  }
}
