/**
 * Everything that a run on Google Cloud needs, looked at before the first change: tools, credentials, project, billing, permissions, APIs,
 * quotas, and what only a person can do. Reads only.
 */
import { resolve4, resolveNs } from 'node:dns/promises'
import { call, isNotFound, isPermissionDenied } from '../../client/errors.ts'
import type { Clients } from '../../client/clients.ts'
import { isKilnError } from '../../base/errors.ts'
import { needsPacker } from '../../config/schema.images.ts'
import type { StackConfig } from '../../config/schema.ts'
import type { DesiredResource } from '../../engine/types.ts'
import { findPacker } from '../../packer/program.ts'
import { findTerraform } from '../../terraform/program.ts'
import { later, missing, missingFrom, ok, person } from './findings.ts'
import type { GcpFinding } from './findings.ts'
import { neededPermissions, rolesFor } from './permissions.ts'
import { checkQuotas } from './quotas.ts'

export interface PreflightOptions {
  readonly config: StackConfig
  readonly desired: readonly DesiredResource[]
  readonly clients: Clients
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
}

/** All findings, in the order in which one depends on the other. */
export async function preflight(options: PreflightOptions): Promise<readonly GcpFinding[]> {
  const findings: GcpFinding[] = [await checkTerraform(), ...(await checkPacker(options))]
  const credentials = await checkCredentials(options)
  findings.push(credentials.finding)
  if (credentials.finding.state !== 'ok') return [...findings, ...notYet('project', 'billing', 'permissions', 'APIs', 'quotas'), checkGithub(options)]
  const project = await checkProject(options, credentials.account)
  findings.push(project.finding)
  if (project.state !== 'there') {
    if (project.state === 'absent') findings.push(await checkBillingAccount(options), ...notYet('permissions', 'APIs', 'quotas'))
    return [...findings, ...(await checkDomains(options)), checkGithub(options)]
  }
  findings.push(await checkBilling(options), await checkPermissions(options, credentials.account))
  const apis = await checkApis(options)
  findings.push(apis.finding)
  findings.push(...(apis.enabled.has('compute.googleapis.com') ? await checkQuotas(options) : notYet('quotas')))
  return [...findings, ...(await checkDomains(options)), checkGithub(options)]
}

function notYet(...checks: readonly string[]): readonly GcpFinding[] {
  return checks.map((check) => later(check, 'cannot be looked at yet'))
}

async function checkTerraform(): Promise<GcpFinding> {
  try {
    const program = await findTerraform()
    return ok('terraform', `${program.name} ${program.version} (${program.path})`)
  } catch (error) {
    return missingFrom('terraform', error)
  }
}

/** Only where an image of the config asks for it. */
async function checkPacker({ config }: PreflightOptions): Promise<readonly GcpFinding[]> {
  if (!needsPacker(config.images)) return []
  try {
    const program = await findPacker()
    return [ok('packer', `${program.version} (${program.path})`)]
  } catch (error) {
    return [missingFrom('packer', error)]
  }
}

interface TokenInfo {
  readonly email?: string
  readonly scope?: string
  readonly error_description?: string
}

async function checkCredentials({ clients, signal }: PreflightOptions): Promise<{ readonly finding: GcpFinding; readonly account: string | undefined }> {
  let token: string
  try {
    token = await clients.accessToken()
  } catch (error) {
    return { finding: missingFrom('credentials', error), account: undefined }
  }
  const response = await clients.transport.send(`https://oauth2.googleapis.com/tokeninfo?access_token=${encodeURIComponent(token)}`, { signal, accept: [400] })
  const info = (await response.json()) as TokenInfo
  if (!response.ok) {
    const detail = `the access token is not accepted: ${info.error_description ?? `status ${response.status}`}`
    return { finding: missing('credentials', detail, 'sign in again: gcloud auth application-default login'), account: undefined }
  }
  if (info.scope !== undefined && !info.scope.split(' ').includes('https://www.googleapis.com/auth/cloud-platform')) {
    const remedy =
      'sign in with the scope: gcloud auth application-default login --scopes=openid,https://www.googleapis.com/auth/userinfo.email,https://www.googleapis.com/auth/cloud-platform'
    return { finding: missing('credentials', 'the credentials lack the scope cloud-platform', remedy), account: info.email }
  }
  return { finding: ok('credentials', info.email ?? 'an account without an e-mail address'), account: info.email }
}

type ProjectState = 'there' | 'absent' | 'unusable'

async function checkProject({ config, clients, signal }: PreflightOptions, account: string | undefined): Promise<{ readonly finding: GcpFinding; readonly state: ProjectState }> {
  const { id } = config.project
  const manager = await clients.resourceManager()
  try {
    const project = await call(manager.projects.get({ projectId: id }, { signal }))
    if (project.lifecycleState !== 'ACTIVE') {
      return { finding: missing('project', `${id} is marked for deletion`, `bring it back: gcloud projects undelete ${id}; or choose another id`), state: 'unusable' }
    }
    return { finding: ok('project', `${id} (number ${project.projectNumber ?? ''})`), state: 'there' }
  } catch (error) {
    // Google says 403 for a project that does not exist, so that ids cannot be guessed.
    if (isNotFound(error) || isPermissionDenied(error)) {
      return { finding: later('project', `${id} does not exist, or ${account ?? 'this account'} may not see it; \`up\` makes it`), state: 'absent' }
    }
    return { finding: missingFrom('project', error), state: 'unusable' }
  }
}

async function checkBilling(options: PreflightOptions): Promise<GcpFinding> {
  const { config, clients, signal } = options
  const { id, billingAccount } = config.project
  try {
    const info = await clients.cloudBilling.getBillingInfo(id, { signal })
    const linked = (info.billingAccountName ?? '').replace('billingAccounts/', '')
    if (info.billingEnabled === true && (billingAccount === undefined || billingAccount === linked)) return ok('billing', `account ${linked} pays for ${id}`)
    if (billingAccount !== undefined) return await checkBillingAccount(options)
    return missing('billing', linked === '' ? `${id} has no billing account` : `the billing account ${linked} of ${id} is closed`, billingRemedy(id))
  } catch (error) {
    return missingFrom('billing', error)
  }
}

function billingRemedy(projectId: string): string {
  return `gcloud billing accounts list shows yours (make one: https://console.cloud.google.com/billing/create), then: gcloud billing projects link ${projectId} --billing-account=ID; or put it into project.billingAccount`
}

/** The account of the config, which `up` links. */
async function checkBillingAccount({ config, clients, signal }: PreflightOptions): Promise<GcpFinding> {
  const { id, billingAccount } = config.project
  if (billingAccount === undefined) return missing('billing', 'the config names no billing account, and a new project has none', billingRemedy(id))
  try {
    const account = await clients.cloudBilling.getAccount(billingAccount, { signal })
    if (account.open === true) return later('billing', `${billingAccount} is open; \`up\` links it`)
    return missing(
      'billing',
      `the billing account ${billingAccount} is closed`,
      `open it: https://console.cloud.google.com/billing/${billingAccount}; or put another one into project.billingAccount`,
    )
  } catch (error) {
    return missingFrom('billing', error)
  }
}

/** A call may name 100. https://cloud.google.com/resource-manager/reference/rest/v1/projects/testIamPermissions */
const PERMISSIONS_PER_CALL = 100

/** Those of `wanted` that the caller does not hold on the project. What Google does not know as a permission of projects is not counted. */
async function lackingPermissions(clients: Clients, project: string, wanted: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const manager = await clients.resourceManager()
  const lacking: string[] = []
  for (let at = 0; at < wanted.length; at += PERMISSIONS_PER_CALL) {
    let asked = wanted.slice(at, at + PERMISSIONS_PER_CALL)
    for (;;) {
      try {
        const held = new Set((await call(manager.projects.testIamPermissions({ resource: project, requestBody: { permissions: [...asked] } }, { signal }))).permissions)
        lacking.push(...asked.filter((permission) => !held.has(permission)))
        break
      } catch (error) {
        const bad = isKilnError(error) ? asked.find((permission) => error.message.includes(`Permission ${permission} is not valid`)) : undefined
        if (bad === undefined) throw error
        asked = asked.filter((permission) => permission !== bad)
      }
    }
  }
  return lacking
}

async function checkPermissions({ config, desired, clients, signal }: PreflightOptions, account: string | undefined): Promise<GcpFinding> {
  const wanted = neededPermissions(desired)
  try {
    const lacking = await lackingPermissions(clients, config.project.id, wanted, signal)
    if (lacking.length === 0) return ok('permissions', `all ${wanted.length} that the stack needs`)
    const roles = [...rolesFor(lacking)].map(
      ([role, permissions]) => `${role} (${permissions.slice(0, 3).join(', ')}${permissions.length > 3 ? ` and ${permissions.length - 3} more` : ''})`,
    )
    const member = account === undefined ? 'user:YOU' : `${account.endsWith('.gserviceaccount.com') ? 'serviceAccount' : 'user'}:${account}`
    const commands = [...rolesFor(lacking).keys()].map((role) => `gcloud projects add-iam-policy-binding ${config.project.id} --member=${member} --role=${role}`)
    return missing('permissions', `${account ?? 'this account'} lacks ${lacking.length} of ${wanted.length}: ${roles.join('; ')}`, commands.join('\n  '))
  } catch (error) {
    return missingFrom('permissions', error)
  }
}

async function checkApis({ config, desired, clients, signal }: PreflightOptions): Promise<{ readonly finding: GcpFinding; readonly enabled: ReadonlySet<string> }> {
  const usage = await clients.serviceUsage()
  const wanted = desired.filter((resource) => resource.kind === 'service').map((resource) => String(resource.props['service']))
  const enabled = new Set<string>()
  try {
    let pageToken: string | undefined
    do {
      const page = await call(
        usage.services.list({ parent: `projects/${config.project.id}`, filter: 'state:ENABLED', pageSize: 200, ...(pageToken === undefined ? {} : { pageToken }) }, { signal }),
      )
      for (const service of page.services ?? []) enabled.add((service.name ?? '').split('/').at(-1) ?? '')
      pageToken = page.nextPageToken ?? undefined
    } while (pageToken !== undefined && pageToken !== '')
  } catch (error) {
    return { finding: missingFrom('APIs', error), enabled }
  }
  const off = wanted.filter((service) => !enabled.has(service))
  return { finding: off.length === 0 ? ok('APIs', `all ${wanted.length} are enabled`) : later('APIs', `\`up\` enables ${off.join(', ')}`), enabled }
}

/** A zone or a certificate works only when the domain leads here, which is set where the domain was bought. Asked for here, and checked at every run. */
async function checkDomains({ config, clients, signal }: PreflightOptions): Promise<readonly GcpFinding[]> {
  const { dns, server, project } = config
  if (dns !== undefined) {
    const servers = await nameServers(clients, project.id, dns.zone, signal)
    if (servers.length === 0) return [later(`domain ${dns.zone}`, 'its name servers are known when the zone is there')]
    const found = await resolveNs(dns.zone).catch((): string[] => [])
    const wanted = servers.map((name) => name.replace(/\.$/, ''))
    if (wanted.every((name) => found.includes(name))) return [ok(`domain ${dns.zone}`, `its name servers are ${wanted.join(', ')}`)]
    return [person(`domain ${dns.zone}`, `its name servers are ${found.join(', ') || 'unknown'}`, `where you bought ${dns.zone}, set its name servers to ${wanted.join(' ')}`)]
  }
  return Promise.all(
    (server?.domains ?? []).map(async (domain) => {
      const found = await resolve4(domain).catch((): string[] => [])
      return found.length > 0
        ? ok(`domain ${domain}`, `leads to ${found.join(', ')}`)
        : person(`domain ${domain}`, 'leads nowhere', `where the domain's records are kept, add an A record for ${domain} with the address that \`kiln status\` shows`)
    }),
  )
}

interface ManagedZones {
  readonly managedZones?: readonly { readonly dnsName?: string; readonly nameServers?: readonly string[] }[]
}

async function nameServers(clients: Clients, project: string, zone: string, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const url = `https://dns.googleapis.com/dns/v1/projects/${encodeURIComponent(project)}/managedZones?dnsName=${encodeURIComponent(`${zone.replace(/\.$/, '')}.`)}`
    const answer = await clients.transport.json<ManagedZones>('GET', url, { signal })
    return answer.managedZones?.[0]?.nameServers ?? []
  } catch (error) {
    // no project, or the API is not enabled yet
    if (isNotFound(error) || isPermissionDenied(error)) return []
    throw error
  }
}

function checkGithub({ config, env }: PreflightOptions): GcpFinding {
  if (config.github === undefined) return ok('GitHub', 'not in the config')
  const { repository } = config.github
  if ((env['GITHUB_TOKEN'] ?? '') !== '') return ok('GitHub', `a token for ${repository} is in GITHUB_TOKEN`)
  return person(
    'GitHub',
    `no GITHUB_TOKEN, so that \`up\` prints what to set in ${repository} by hand`,
    `make a token with "Variables", "Secrets" and "Environments" of ${repository} (read and write): https://github.com/settings/personal-access-tokens/new, then: export GITHUB_TOKEN=…`,
  )
}
