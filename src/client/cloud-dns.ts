/** Cloud DNS (REST v1), of which npm has no `@googleapis` package here. https://cloud.google.com/dns/docs/reference/rest/v1 */
import { MINUTE_MS } from '../base/units.ts'
import { waitFor } from '../base/wait.ts'
import type { Transport } from './transport.ts'

export interface ManagedZone {
  readonly name?: string
  /** With its final dot. */
  readonly dnsName?: string
  readonly description?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly visibility?: string
  /** Whom the registrar of the domain must be told. */
  readonly nameServers?: readonly string[]
}

export interface RecordSet {
  /** With its final dot. */
  readonly name?: string
  readonly type?: string
  /** Seconds. */
  readonly ttl?: number
  readonly rrdatas?: readonly string[]
}

interface CallOptions {
  readonly signal?: AbortSignal
}

interface ZoneOperation {
  readonly id?: string
  readonly status?: string
}

/** Every method throws as `Transport.send` does. Names are absolute. */
export interface CloudDns {
  getZone(projectId: string, zone: string, options?: CallOptions): Promise<ManagedZone>
  createZone(projectId: string, zone: ManagedZone, options?: CallOptions): Promise<ManagedZone>
  /** Sends these fields, and waits until they are in force. @throws KilnError E_TIMEOUT too */
  patchZone(projectId: string, zone: string, fields: ManagedZone, options?: CallOptions): Promise<void>
  deleteZone(projectId: string, zone: string, options?: CallOptions): Promise<void>
  getRecordSet(projectId: string, zone: string, name: string, type: string, options?: CallOptions): Promise<RecordSet>
  createRecordSet(projectId: string, zone: string, set: RecordSet, options?: CallOptions): Promise<RecordSet>
  patchRecordSet(projectId: string, zone: string, set: RecordSet, options?: CallOptions): Promise<RecordSet>
  deleteRecordSet(projectId: string, zone: string, name: string, type: string, options?: CallOptions): Promise<void>
}

/** Makes the client over a transport. */
export function createCloudDns(transport: Transport): CloudDns {
  const zones = (projectId: string): string => `https://dns.googleapis.com/dns/v1/projects/${encodeURIComponent(projectId)}/managedZones`
  const zoneUrl = (projectId: string, zone: string): string => `${zones(projectId)}/${encodeURIComponent(zone)}`
  const setUrl = (projectId: string, zone: string, name: string, type: string): string =>
    `${zoneUrl(projectId, zone)}/rrsets/${encodeURIComponent(name)}/${encodeURIComponent(type)}`

  async function remove(url: string, options: CallOptions = {}): Promise<void> {
    // the answer of a zone's deletion has no body
    await transport.send(url, { method: 'DELETE', ...options })
  }

  return {
    getZone: (projectId, zone, options) => transport.json('GET', zoneUrl(projectId, zone), options),
    createZone: (projectId, zone, options) => transport.json('POST', zones(projectId), { ...options, body: zone }),
    async patchZone(projectId, zone, fields, options) {
      const url = zoneUrl(projectId, zone)
      let operation = await transport.json<ZoneOperation>('PATCH', url, { ...options, body: fields })
      await waitFor({ what: `the change of the DNS zone ${zone}`, timeoutMs: 10 * MINUTE_MS, ...options }, async () => {
        if (operation.status === 'done') return { done: true, value: undefined }
        operation = await transport.json<ZoneOperation>('GET', `${url}/operations/${encodeURIComponent(operation.id ?? '')}`, options)
        return operation.status === 'done' ? { done: true, value: undefined } : { done: false, status: operation.status ?? 'unknown' }
      })
    },
    deleteZone: (projectId, zone, options) => remove(zoneUrl(projectId, zone), options),
    getRecordSet: (projectId, zone, name, type, options) => transport.json('GET', setUrl(projectId, zone, name, type), options),
    createRecordSet: (projectId, zone, set, options) => transport.json('POST', `${zoneUrl(projectId, zone)}/rrsets`, { ...options, body: set }),
    patchRecordSet: (projectId, zone, set, options) => transport.json('PATCH', setUrl(projectId, zone, set.name ?? '', set.type ?? ''), { ...options, body: set }),
    deleteRecordSet: (projectId, zone, name, type, options) => remove(setUrl(projectId, zone, name, type), options),
  }
}
