/** What Terraform and Google say in diagnostics, as errors with a cause and a next action. */
import { KilnError } from '../base/errors.ts'
import type { ErrorCode } from '../base/error-codes.ts'
import { roleForPermission } from '../client/roles.ts'
import type { Diagnostic } from './messages.ts'

/** Where a diagnostic came from, for hints that name a command. */
export interface DiagnosticPlace {
  /** Folder of the `.tf` files. */
  readonly dir: string
  /** `terraform` or `tofu`. */
  readonly program: string
}

interface Reading {
  readonly code: ErrorCode
  readonly hint: string
}

/** The error for one diagnostic. */
export function diagnosticError(diagnostic: Diagnostic, place: DiagnosticPlace): KilnError {
  const text = `${diagnostic.summary}\n${diagnostic.detail}`
  const lock = lockOf(text)
  if (lock !== undefined) return lockedError(lock, place)
  const reading = read(text, place) ?? { code: 'E_TERRAFORM' as const, hint: 'correct the cause and run the same command again; it goes on where this one stopped' }
  const where = diagnostic.range === undefined ? '' : ` (${diagnostic.range.filename}:${diagnostic.range.start.line})`
  const [firstLine = '', ...rest] = diagnostic.detail.trim() === '' ? diagnostic.summary.split('\n') : [diagnostic.summary, ...diagnostic.detail.trim().split('\n')]
  return new KilnError(reading.code, `${firstLine.replace(/^Error: /, '')}${where}`, { hint: reading.hint, ...(rest.length === 0 ? {} : { detail: rest.join('\n') }) })
}

/** Several diagnostics as one error: the first is told, the others are its detail. Warnings do not count. */
export function diagnosticsError(diagnostics: readonly Diagnostic[], place: DiagnosticPlace, what: string): KilnError {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').map((diagnostic) => diagnosticError(diagnostic, place))
  const [first, ...others] = errors
  if (first === undefined) return new KilnError('E_TERRAFORM', `${what} failed without saying why`, { hint: `run it by hand: cd ${place.dir} && ${place.program} plan` })
  if (others.length === 0) return first
  const detail = [...(first.detail === undefined ? [] : [first.detail]), ...others.map((error) => error.message)].join('\n')
  return new KilnError(first.code, first.message, { detail, ...(first.hint === undefined ? {} : { hint: first.hint }) })
}

/** Who holds the lock of a state. */
export interface StateLock {
  readonly id: string
  readonly who: string
  readonly operation: string
  readonly created: string
}

/** The lock that a diagnostic tells of. */
export function lockOf(text: string): StateLock | undefined {
  if (!/Error acquiring the state lock|Error locking state/.test(text)) return undefined
  const field = (name: string): string => new RegExp(`^\\s*${name}:\\s*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? ''
  return {
    id: field('ID'),
    who: field('Who'),
    operation: field('Operation')
      .replace(/^OperationType/, '')
      .toLowerCase(),
    created: field('Created'),
  }
}

/** E_STATE_LOCKED. */
export function lockedError(lock: StateLock, place: DiagnosticPlace): KilnError {
  const what = lock.operation === '' ? '' : ` (${lock.operation})`
  return new KilnError(
    'E_STATE_LOCKED',
    `the state of ${place.dir} is locked by ${lock.who === '' ? 'another run' : lock.who}${what} since ${lock.created === '' ? 'an unknown time' : lock.created}`,
    {
      hint: `wait until that run has ended; if it died: cd ${place.dir} && ${place.program} force-unlock ${lock.id}`,
    },
  )
}

/** What a refusal means. The texts are those of Google's APIs as the google provider passes them on, and of Terraform's core. */
function read(text: string, { dir, program }: DiagnosticPlace): Reading | undefined {
  if (/Saved plan is stale|plan file can no longer be applied/.test(text)) {
    return { code: 'E_PLAN_STALE', hint: 'run the same command again: it makes a new plan and shows it' }
  }
  const disabled = /SERVICE_DISABLED|accessNotConfigured|has not been used in project|it is disabled\. Enable it/.test(text)
  if (disabled) {
    const service = /([a-z0-9]+\.googleapis\.com)(?:\/overview|["'\s,.]|$)/.exec(text.replaceAll('console.developers.google.com/apis/api/', ''))?.[1]
    return {
      code: 'E_PERMISSION',
      hint: `enable ${service ?? 'the API'}: gcloud services enable ${service ?? 'API'}; a new one takes some minutes, then run the same command again`,
    }
  }
  if (/billing account .*(?:disabled|closed|not found)|BILLING_DISABLED|[Bb]illing (?:must be|is not|has not been) enabled|requires billing/.test(text)) {
    return { code: 'E_BILLING', hint: 'link an open billing account: gcloud billing projects link PROJECT --billing-account=ID (`gcloud billing accounts list` shows them)' }
  }
  if (/quotaExceeded|QUOTA_EXCEEDED|Quota '[^']+' exceeded|Quota exceeded|RESOURCE_EXHAUSTED/.test(text)) {
    const quota = /Quota '([^']+)' exceeded/.exec(text)?.[1] ?? /quota metric '([^']+)'/.exec(text)?.[1]
    return {
      code: 'E_QUOTA',
      hint: `ask for more${quota === undefined ? '' : ` ${quota}`} at https://console.cloud.google.com/iam-admin/quotas, or make the stack smaller; then run the same command again`,
    }
  }
  if (/ZONE_RESOURCE_POOL_EXHAUSTED|does not have enough resources available/.test(text)) {
    return { code: 'E_QUOTA', hint: 'the zone has no free machines of this type now: run the same command again later, or choose another zone or machine type' }
  }
  if (/Error 403|forbidden|PERMISSION_DENIED|IAM_PERMISSION_DENIED/.test(text)) return { code: 'E_PERMISSION', hint: permissionHint(text) }
  if (/Error 409|alreadyExists|already exists|ALREADY_EXISTS/.test(text)) {
    return {
      code: 'E_EXISTS',
      hint: `take it over: add an import block for it in ${dir} (https://developer.hashicorp.com/terraform/language/import), or choose another name in the config`,
    }
  }
  if (/could not find default credentials|invalid_grant|invalid_rapt|Error 401|UNAUTHENTICATED|Reauthentication/.test(text)) {
    return { code: 'E_PERMISSION', hint: 'sign in again: gcloud auth application-default login' }
  }
  if (/Failed to query available provider packages|Failed to install provider|Could not load plugin|provider registry/i.test(text)) {
    return {
      code: 'E_NETWORK',
      hint: 'the provider could not be downloaded: check the network, or set up a mirror (https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation)',
    }
  }
  if (/dial tcp|connection refused|connection reset|no such host|i\/o timeout|TLS handshake timeout|unexpected EOF|network is unreachable|proxyconnect/.test(text)) {
    return { code: 'E_NETWORK', hint: 'check the network, then run the same command again; it goes on where this one stopped' }
  }
  if (/execution halted|operation canceled|context canceled/.test(text)) return { code: 'E_CANCELLED', hint: 'run the same command again to go on' }
  if (/Failed to save state|Error saving state|failed to persist state/i.test(text)) {
    return {
      code: 'E_TERRAFORM',
      hint: `what was done stands in ${dir}/errored.tfstate; the next run brings it to the bucket first. By hand: ${program} state push errored.tfstate`,
    }
  }
  return undefined
}

function permissionHint(text: string): string {
  const permission =
    /Required '([\w.]+)' permission/.exec(text)?.[1] ??
    /[Pp]ermission[:\s]+'?"?([a-z]\w*\.[a-zA-Z]+\.[a-zA-Z]+)/.exec(text)?.[1] ??
    /does not have ([a-z]\w*\.[a-zA-Z]+\.[a-zA-Z]+) access/.exec(text)?.[1]
  const account = /[\w.+-]+@[\w.-]+\.\w+/.exec(text)?.[0] ?? 'the account that runs this'
  if (permission === undefined) return `give ${account} a role that allows this call; \`kiln doctor --target gcp\` names the permissions that are missing`
  const role = roleForPermission(permission)
  return role === undefined ? `give ${account} a role with the permission ${permission}` : `give ${account} the role ${role} (it holds ${permission})`
}
