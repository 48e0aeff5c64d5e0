/** Target proxies and SSL certificates as resources. https://cloud.google.com/compute/docs/reference/rest/v1/targetHttpsProxies, …/sslCertificates */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { DAY_MS } from '../../../../base/units.ts'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import type { Compute } from '../service.ts'
import type { Resource } from '../store.ts'
import { compact, requireLink } from './noun.ts'
import type { BuildContext, Built } from './noun.ts'
import type { SslCertificateBody, TargetProxyBody } from './schema.ts'

export type TargetHttpProxyRecord = compute_v1.Schema$TargetHttpProxy
export type TargetHttpsProxyRecord = compute_v1.Schema$TargetHttpsProxy
export type SslCertificateRecord = compute_v1.Schema$SslCertificate
export interface SslCertificateHidden {
  /** PEM, PKCS #8; only for certificates that were uploaded or have been issued. */
  readonly privateKey?: string
}
export type SslCertificate = Resource<SslCertificateRecord, SslCertificateHidden>

/** Signs a server certificate for DNS names with the cloud's own authority. */
export type CertificateSigner = (names: readonly string[], options?: { readonly validDays?: number }) => Promise<{ readonly certificateChain: string; readonly privateKey: string }>

/** Google's managed certificates live 90 days. */
const MANAGED_DAYS = 90
const RENEW_DAYS = 30

/** @throws ApiError 400, 404 */
export function buildHttpProxy(compute: Compute, body: TargetProxyBody, context: Pick<BuildContext<object>, 'projectId'>): Built<TargetHttpProxyRecord> {
  return {
    record: compact({
      ...body,
      description: body.description || undefined,
      urlMap: requireUrlMap(compute, context.projectId, body.urlMap),
      proxyBind: body.proxyBind === true,
    }) as TargetHttpProxyRecord,
  }
}

/** @throws ApiError 400, 404 */
export function buildHttpsProxy(compute: Compute, body: TargetProxyBody, context: Pick<BuildContext<object>, 'projectId'>): Built<TargetHttpsProxyRecord> {
  return {
    record: compact({
      ...body,
      description: body.description || undefined,
      urlMap: requireUrlMap(compute, context.projectId, body.urlMap),
      proxyBind: body.proxyBind === true,
      sslCertificates: requireCertificates(compute, context.projectId, body.sslCertificates),
      quicOverride: body.quicOverride ?? 'NONE',
      tlsEarlyData: (body['tlsEarlyData'] as string | null | undefined) ?? 'DISABLED',
    }) as TargetHttpsProxyRecord,
  }
}

/** @throws ApiError 400, 404 */
export function requireUrlMap(compute: Compute, projectId: string, link: string | null | undefined): string {
  if (!link) throw invalidArgument("Invalid value for field 'resource.urlMap': ''. The URL map must be given.")
  return requireLink(compute, projectId, link, 'urlMaps')
}

/** @throws ApiError 400, 404 */
export function requireCertificates(compute: Compute, projectId: string, links: readonly string[] | null | undefined): string[] {
  if (!links || links.length === 0 || links.length > 15) throw invalidArgument("Invalid value for field 'resource.sslCertificates': a target HTTPS proxy has 1 to 15 certificates.")
  return links.map((link) => requireLink(compute, projectId, link, 'sslCertificates'))
}

const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\.?$/i

/** An uploaded certificate, or a managed one before it is issued. @throws ApiError 400 when key and certificate are no pair */
export function buildCertificate(body: SslCertificateBody): Built<SslCertificateRecord, SslCertificateHidden> {
  const domains = body.managed?.domains ?? []
  if (body.type === 'MANAGED' || domains.length > 0) {
    if (domains.length === 0 || domains.length > 100) throw invalidArgument("Invalid value for field 'resource.managed.domains': a managed certificate has 1 to 100 domains.")
    for (const domain of domains)
      if (!DOMAIN.test(domain)) throw invalidArgument(`Invalid value for field 'resource.managed.domains': '${domain}'. Must be a domain name without wildcards.`)
    return {
      record: compact({
        description: body.description || undefined,
        type: 'MANAGED',
        managed: { domains, status: 'PROVISIONING', domainStatus: Object.fromEntries(domains.map((domain) => [domain, 'PROVISIONING'])) },
      }),
    }
  }
  const certificate = body.selfManaged?.certificate ?? body.certificate ?? ''
  const privateKey = body.selfManaged?.privateKey ?? body.privateKey ?? ''
  try {
    const leaf = new X509Certificate(certificate)
    if (!leaf.checkPrivateKey(createPrivateKey(privateKey))) throw new Error('the key belongs to another certificate')
    return {
      record: compact({ description: body.description || undefined, type: 'SELF_MANAGED', certificate, selfManaged: { certificate }, ...factsOf(leaf) }),
      hidden: { privateKey },
    }
  } catch (error) {
    throw invalidArgument(`The SSL certificate could not be parsed, or its private key does not match: ${error instanceof Error ? error.message : String(error)}`, {
      reason: 'sslCertificateCouldNotParseCert',
    })
  }
}

function factsOf(leaf: X509Certificate): { expireTime: string; subjectAlternativeNames: string[] } {
  const names = (leaf.subjectAltName ?? '').split(', ').filter((name) => name !== '')
  return { expireTime: leaf.validToDate.toISOString(), subjectAlternativeNames: names.map((name) => name.replace(/^(DNS|IP Address):/, '')) }
}

/** Has a managed certificate signed, once. @throws ApiError when this cloud has no authority */
export async function settleCertificate(compute: Compute, certificate: SslCertificate, signer: CertificateSigner | undefined): Promise<void> {
  if (certificate.record.type === 'MANAGED' && certificate.hidden.privateKey === undefined) await issue(compute, certificate, signer)
}

/** Has the managed certificates signed anew whose last third (at most 30 days) has begun. */
export async function renewCertificates(compute: Compute, signer: CertificateSigner | undefined): Promise<void> {
  if (signer === undefined) return
  for (const certificate of compute.store.list('sslCertificates') as readonly SslCertificate[]) {
    const { type, expireTime, certificate: pem } = certificate.record
    if (type !== 'MANAGED' || !expireTime || !pem) continue
    const leftMs = Date.parse(expireTime) - Date.now()
    if (leftMs >= RENEW_DAYS * DAY_MS) continue
    const leaf = new X509Certificate(pem)
    if (leftMs < (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 3) await issue(compute, certificate, signer)
  }
}

async function issue(compute: Compute, certificate: SslCertificate, signer: CertificateSigner | undefined): Promise<void> {
  const { record } = certificate
  if (signer === undefined)
    throw new ApiError('FAILED_PRECONDITION', 'This pocket cloud has no certificate authority, so it cannot issue managed certificates. Upload one instead.')
  const domains = record.managed?.domains ?? []
  const issued = await signer(domains, { validDays: MANAGED_DAYS })
  compute.store.update({
    ...certificate,
    record: {
      ...record,
      certificate: issued.certificateChain,
      managed: { domains, status: 'ACTIVE', domainStatus: Object.fromEntries(domains.map((domain) => [domain, 'ACTIVE'])) },
      ...factsOf(new X509Certificate(issued.certificateChain)),
    },
    hidden: { privateKey: issued.privateKey },
  })
}
