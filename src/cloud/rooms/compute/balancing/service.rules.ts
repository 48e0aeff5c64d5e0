/** Global forwarding rules as resources. https://cloud.google.com/compute/docs/reference/rest/v1/globalForwardingRules */
import { isIP } from 'node:net'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import { linkTail } from '../links.ts'
import { requireLabels } from '../service.ts'
import type { Compute } from '../service.ts'
import type { Address, Addresses } from '../service.addresses.ts'
import { fingerprint } from '../shapes.ts'
import { compact, requireLink } from './noun.ts'
import type { BuildContext, Built } from './noun.ts'
import type { ForwardingRuleBody } from './schema.ts'

export type ForwardingRuleRecord = compute_v1.Schema$ForwardingRule

/** The fields of a rule; its address stays empty until the transaction of the insert when none was asked for. @throws ApiError 400, 404, 501 */
export function buildForwardingRule(compute: Compute, body: ForwardingRuleBody, context: BuildContext<ForwardingRuleRecord>): Built<ForwardingRuleRecord> {
  const { projectId } = context
  const scheme = body.loadBalancingScheme ?? 'EXTERNAL'
  if (scheme !== 'EXTERNAL' && scheme !== 'EXTERNAL_MANAGED')
    throw new ApiError('UNIMPLEMENTED', `The pocket cloud balances with EXTERNAL and EXTERNAL_MANAGED only, not with loadBalancingScheme ${scheme}.`)
  if ((body.IPProtocol ?? 'TCP') !== 'TCP') throw invalidArgument(`Invalid value for field 'resource.IPProtocol': '${body.IPProtocol}'. Must be TCP for target HTTP(S) proxies.`)
  if (body.ipVersion === 'IPV6') throw new ApiError('UNIMPLEMENTED', 'The pocket cloud balances IPv4 only.')
  const target = requireTarget(compute, projectId, body.target)
  const port = requirePortRange(body)
  const IPAddress = context.before?.IPAddress ?? (body.IPAddress ? requireAddress(compute, projectId, body.IPAddress) : '')
  const others = (compute.store.list('forwardingRules') as readonly { record: ForwardingRuleRecord }[]).map((rule) => rule.record)
  const taken = others.find((rule) => IPAddress !== '' && rule.selfLink !== context.selfLink && rule.IPAddress === IPAddress && rule.portRange === `${port}-${port}`)
  if (taken !== undefined)
    throw invalidArgument(
      `Invalid value for field 'resource.IPAddress': '${IPAddress}'. Specified IP address is in-use and would result in a conflict with '${taken.name ?? ''}' on port ${port}.`,
      {
        reason: 'resourceInUseByAnotherResource',
      },
    )
  const labels = requireLabels(body.labels)
  return {
    record: compact({
      ...body,
      description: body.description ?? '',
      IPAddress,
      IPProtocol: 'TCP',
      portRange: `${port}-${port}`,
      ports: undefined,
      target,
      loadBalancingScheme: scheme,
      networkTier: body.networkTier ?? 'PREMIUM',
      ipVersion: body.ipVersion ?? undefined,
      labels: Object.keys(labels).length === 0 ? undefined : labels,
      labelFingerprint: fingerprint(labels),
    }) as ForwardingRuleRecord,
  }
}

/** A target proxy of either kind. @throws ApiError 400, 404 */
export function requireTarget(compute: Compute, projectId: string, link: string | null | undefined): string {
  if (!link) throw invalidArgument("Invalid value for field 'resource.target': ''. The target must be given.")
  return requireLink(compute, projectId, link, link.includes('targetHttpsProxies/') ? 'targetHttpsProxies' : 'targetHttpProxies')
}

function requirePortRange(body: ForwardingRuleBody): number {
  const text = body.portRange || body.ports?.join(',') || ''
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[1])
  if (match === null || (match[2] !== undefined && match[2] !== match[1]) || port < 1 || port > 65_535)
    throw invalidArgument(`Invalid value for field 'resource.portRange': '${text}'. A global forwarding rule for a target HTTP(S) proxy has exactly one port.`)
  return port
}

/** An address that is reserved globally in the project: named by its link, or by its value. @throws ApiError 400, 404 */
function requireAddress(compute: Compute, projectId: string, wanted: string): string {
  if (isIP(wanted) === 0) {
    const address = linkTail(requireLink(compute, projectId, wanted, 'addresses'))
    const found = (compute.store.list('addresses') as readonly Address[]).find((each) => linkTail(each.record.selfLink ?? '') === address)
    return found?.record.address ?? ''
  }
  const found = (compute.store.list('addresses', projectId, 'global') as readonly Address[]).find((each) => each.record.address === wanted)
  if (found === undefined) throw invalidArgument(`Invalid value for field 'resource.IPAddress': '${wanted}'. The address is not reserved in the project as a global address.`)
  return wanted
}

/** Marks the reserved address of a rule as used, or as free when no rule uses it any more. Inside a transaction. */
export function noteAddressUse(compute: Compute, addresses: Addresses, rule: { readonly projectId: string; readonly record: ForwardingRuleRecord }, goes: boolean): void {
  const { IPAddress = '', selfLink } = rule.record
  const rest = (compute.store.list('forwardingRules', rule.projectId) as readonly { record: ForwardingRuleRecord }[])
    .map((each) => each.record)
    .find((each) => each.IPAddress === IPAddress && (!goes || each.selfLink !== selfLink))
  addresses.setUser(rule.projectId, IPAddress ?? '', rest?.selfLink ?? undefined)
}
