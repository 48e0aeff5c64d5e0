/** Firewall rules, and what they let through to a machine. https://cloud.google.com/compute/docs/reference/rest/v1/firewalls */
import { BlockList, isIP } from 'node:net'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { parseLink, selfLink } from './links.ts'
import type { FirewallBody } from './schema.ts'
import { requireName } from './service.ts'
import type { Caller, Compute } from './service.ts'
import { head } from './shapes.ts'
import type { Key, Resource } from './store.ts'

export type Firewall = Resource<compute_v1.Schema$Firewall>

/** The rules of the default network. https://cloud.google.com/firewall/docs/firewalls#more_rules_default_vpc */
export const defaultRules: readonly (FirewallBody & { readonly name: string })[] = [
  { name: 'default-allow-icmp', description: 'Allow ICMP from anywhere', priority: 65_534, sourceRanges: ['0.0.0.0/0'], allowed: [{ IPProtocol: 'icmp' }] },
  {
    name: 'default-allow-internal',
    description: 'Allow internal traffic on the default network',
    priority: 65_534,
    sourceRanges: ['10.128.0.0/9'],
    allowed: [{ IPProtocol: 'tcp', ports: ['0-65535'] }, { IPProtocol: 'udp', ports: ['0-65535'] }, { IPProtocol: 'icmp' }],
  },
  { name: 'default-allow-rdp', description: 'Allow RDP from anywhere', priority: 65_534, sourceRanges: ['0.0.0.0/0'], allowed: [{ IPProtocol: 'tcp', ports: ['3389'] }] },
  { name: 'default-allow-ssh', description: 'Allow SSH from anywhere', priority: 65_534, sourceRanges: ['0.0.0.0/0'], allowed: [{ IPProtocol: 'tcp', ports: ['22'] }] },
]

/** The fields of a rule with Google's defaults filled in. @throws ApiError 400 */
export function firewallRecord(body: FirewallBody): compute_v1.Schema$Firewall {
  const direction = body.direction ?? 'INGRESS'
  if (direction !== 'INGRESS' && direction !== 'EGRESS') throw invalidArgument(`Invalid value for field 'resource.direction': '${direction}'. Must be INGRESS or EGRESS.`)
  const priority = body.priority ?? 1000
  if (priority < 0 || priority > 65_535) throw invalidArgument(`Invalid value for field 'resource.priority': '${priority}'. Must be between 0 and 65535.`)
  const allowed = (body.allowed ?? []).map(checkPorts)
  const denied = (body.denied ?? []).map(checkPorts)
  if (allowed.length > 0 === denied.length > 0) throw invalidArgument("Invalid value for field 'resource': a firewall rule needs either allowed or denied.")
  if (body.targetTags?.length && body.targetServiceAccounts?.length)
    throw invalidArgument("Invalid value for field 'resource.targetTags': targetTags and targetServiceAccounts exclude each other.")
  for (const range of [...(body.sourceRanges ?? []), ...(body.destinationRanges ?? [])]) requireRange(range)
  const hasSources = [body.sourceRanges, body.sourceTags, body.sourceServiceAccounts].some((list) => list !== undefined && list !== null && list.length > 0)
  return {
    ...(body.network ? { network: body.network } : {}),
    description: body.description ?? '',
    direction,
    priority,
    disabled: body.disabled === true,
    logConfig: { enable: body.logConfig?.enable === true, ...(body.logConfig?.enable === true ? { metadata: body.logConfig.metadata ?? 'INCLUDE_ALL_METADATA' } : {}) },
    ...(allowed.length > 0 ? { allowed } : { denied }),
    ...(direction === 'EGRESS'
      ? { destinationRanges: body.destinationRanges?.length ? body.destinationRanges : ['0.0.0.0/0'] }
      : hasSources
        ? Object.fromEntries(
            Object.entries({ sourceRanges: body.sourceRanges, sourceTags: body.sourceTags, sourceServiceAccounts: body.sourceServiceAccounts }).filter(
              ([, list]) => list !== undefined && list !== null && list.length > 0,
            ),
          )
        : { sourceRanges: ['0.0.0.0/0'] }),
    ...(body.targetTags?.length ? { targetTags: body.targetTags } : {}),
    ...(body.targetServiceAccounts?.length ? { targetServiceAccounts: body.targetServiceAccounts } : {}),
  }
}

function checkPorts(entry: { IPProtocol: string; ports?: string[] | null }): { IPProtocol: string; ports?: string[] } {
  const protocol = entry.IPProtocol.toLowerCase()
  const known = ['tcp', 'udp', 'icmp', 'esp', 'ah', 'sctp', 'ipip', 'all'].includes(protocol) || (/^\d{1,3}$/.test(protocol) && Number(protocol) < 256)
  if (!known)
    throw invalidArgument(
      `Invalid value for field 'resource.allowed[0].IPProtocol': '${entry.IPProtocol}'. Must be tcp, udp, icmp, esp, ah, sctp, ipip, all, or a protocol number.`,
    )
  const ports = entry.ports ?? []
  for (const port of ports) parsePorts(port)
  if (ports.length > 0 && !['tcp', 'udp', 'sctp', '6', '17', '132'].includes(protocol))
    throw invalidArgument(`Invalid value for field 'resource.allowed[0].ports[0]': ports are not allowed with protocol ${protocol}.`)
  return { IPProtocol: protocol, ...(ports.length === 0 ? {} : { ports }) }
}

/** `80` or `8000-8100`. @throws ApiError 400 */
export function parsePorts(text: string): readonly [first: number, last: number] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match === null || last > 65_535 || first > last)
    throw invalidArgument(`Invalid value for field 'resource.allowed[0].ports[0]': '${text}'. Must be a port or a range such as 8000-8100.`)
  return [first, last]
}

function requireRange(range: string): void {
  const [address = '', prefix] = range.split('/')
  const version = isIP(address)
  if (version === 0 || (prefix !== undefined && !(/^\d+$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)))) {
    throw invalidArgument(`Invalid value for field 'resource.sourceRanges[0]': '${range}'. Must be a CIDR range such as 10.0.0.0/8.`)
  }
}

/** True when a range takes in this machine's own address, from which all connections to a pocket VM come. */
export function includesThisMachine(range: string): boolean {
  const [address = '', prefix] = range.split('/')
  if (isIP(address) !== 4) return false
  const list = new BlockList()
  list.addSubnet(address, Number(prefix ?? 32))
  return list.check('127.0.0.1')
}

export interface Firewalls {
  insert(caller: Caller, projectId: string, body: FirewallBody): Operation
  get(projectId: string, name: string): Firewall
  /** `replace`: PUT, where what is left out gets its default. */
  change(caller: Caller, projectId: string, name: string, body: FirewallBody, replace: boolean): Operation
  remove(caller: Caller, projectId: string, name: string): Operation
}

/** `onChange` brings the forwards of running machines in line; it runs as part of the operation. */
export function createFirewalls(compute: Compute, onChange: (projectId: string) => Promise<void>): Firewalls {
  const { store } = compute

  function get(projectId: string, name: string): Firewall {
    return compute.get<Firewall>({ projectId, scope: 'global', collection: 'firewalls', name })
  }

  for (const type of ['firewalls.insert', 'firewalls.patch', 'firewalls.update', 'firewalls.delete']) {
    compute.handle<{ projectId: string }>(type, (args) => onChange(args.projectId))
  }

  return {
    insert(caller, projectId, body) {
      const key: Key = { projectId, scope: 'global', collection: 'firewalls', name: requireName(body.name) }
      const network = compute.get(parseLink(body.network || 'global/networks/default', { projectId, scope: 'global', collection: 'networks' }))
      const fields = firewallRecord({ ...body, network: selfLink(network) })
      return compute.begin(caller, { type: 'firewalls.insert', key, args: { projectId } }, () => {
        const made = compute.insert<Firewall>({ ...key, record: {}, hidden: {} })
        store.update({ ...made, record: { ...head('firewall', key, made.id), ...fields } })
        return made.id
      })
    },
    get,
    change(caller, projectId, name, body, replace) {
      const rule = get(projectId, name)
      const { kind, id, selfLink: link, creationTimestamp, ...before } = rule.record
      // A patch that sends the other action or other sources replaces those that were there.
      const cleared = { ...before, ...(body.allowed?.length ? { denied: undefined } : {}), ...(body.denied?.length ? { allowed: undefined } : {}) }
      const fields = firewallRecord({ ...(replace ? {} : (cleared as FirewallBody)), ...body, network: before.network, direction: before.direction })
      return compute.begin(caller, { type: replace ? 'firewalls.update' : 'firewalls.patch', key: rule, targetId: rule.id, args: { projectId } }, () => {
        store.update({ ...rule, record: { kind, id, name, selfLink: link, creationTimestamp, ...fields } })
      })
    },
    remove(caller, projectId, name) {
      const rule = get(projectId, name)
      return compute.begin(caller, { type: 'firewalls.delete', key: rule, targetId: rule.id, args: { projectId } }, () => store.remove(rule.id))
    },
  }
}
