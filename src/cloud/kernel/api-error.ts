/**
 * Errors as Google's APIs answer them: canonical status, HTTP code, reason, and the JSON shape
 * `{error: {code, message, status, errors: [{domain, reason, message}], details}}` (https://cloud.google.com/apis/design/errors).
 */

/** Canonical status -> HTTP code and the legacy reason that the JSON APIs (compute, storage) put in `errors[0].reason`. */
const statuses = {
  INVALID_ARGUMENT: [400, 'invalid'],
  FAILED_PRECONDITION: [400, 'failedPrecondition'],
  OUT_OF_RANGE: [400, 'outOfRange'],
  UNAUTHENTICATED: [401, 'authError'],
  PERMISSION_DENIED: [403, 'forbidden'],
  NOT_FOUND: [404, 'notFound'],
  METHOD_NOT_ALLOWED: [405, 'httpMethodNotAllowed'],
  ALREADY_EXISTS: [409, 'alreadyExists'],
  ABORTED: [409, 'conflict'],
  GONE: [410, 'gone'],
  CONDITION_NOT_MET: [412, 'conditionNotMet'],
  PAYLOAD_TOO_LARGE: [413, 'uploadTooLarge'],
  RANGE_NOT_SATISFIABLE: [416, 'requestedRangeNotSatisfiable'],
  RESOURCE_EXHAUSTED: [429, 'rateLimitExceeded'],
  CANCELLED: [499, 'cancelled'],
  INTERNAL: [500, 'internalError'],
  UNKNOWN: [500, 'unknown'],
  DATA_LOSS: [500, 'dataLoss'],
  UNIMPLEMENTED: [501, 'notImplemented'],
  UNAVAILABLE: [503, 'backendError'],
  DEADLINE_EXCEEDED: [504, 'deadlineExceeded'],
} as const

export type ApiStatus = keyof typeof statuses
export const API_STATUSES = Object.keys(statuses) as readonly ApiStatus[]

/** The status that an HTTP code usually stands for (the first with it), or undefined. */
export function statusOfHttpCode(code: number): ApiStatus | undefined {
  return code === 500 ? 'INTERNAL' : API_STATUSES.find((status) => statuses[status][0] === code)
}

export interface ApiErrorOptions {
  /** Overrides the legacy reason, for example `resourceInUseByAnotherResource`. */
  readonly reason?: string
  /** Legacy domain, `usageLimits` for quotas. Default: `global`. */
  readonly domain?: string
  /** google.rpc details, each with `@type`. */
  readonly details?: readonly Readonly<Record<string, unknown>>[]
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** Thrown anywhere below a route; the kernel's server turns it into the answer. */
export class ApiError extends Error {
  readonly status: ApiStatus
  readonly httpStatus: number
  readonly reason: string
  readonly domain: string
  readonly details: readonly Readonly<Record<string, unknown>>[]
  readonly headers: Readonly<Record<string, string>>

  constructor(status: ApiStatus, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ApiError'
    this.status = status
    this.httpStatus = statuses[status][0]
    this.reason = options.reason ?? statuses[status][1]
    this.domain = options.domain ?? 'global'
    this.details = options.details ?? []
    this.headers = options.headers ?? {}
  }

  /** The body that Google's clients parse. */
  toBody(): { error: Record<string, unknown> } {
    return {
      error: {
        code: this.httpStatus,
        message: this.message,
        status: this.status,
        errors: [{ message: this.message, domain: this.domain, reason: this.reason }],
        ...(this.details.length === 0 ? {} : { details: this.details }),
      },
    }
  }
}

export function invalidArgument(message: string, options: ApiErrorOptions = {}): ApiError {
  return new ApiError('INVALID_ARGUMENT', message, options)
}

export function notFound(message: string, options: ApiErrorOptions = {}): ApiError {
  return new ApiError('NOT_FOUND', message, options)
}

export function alreadyExists(message: string, options: ApiErrorOptions = {}): ApiError {
  return new ApiError('ALREADY_EXISTS', message, options)
}

export function failedPrecondition(message: string, options: ApiErrorOptions = {}): ApiError {
  return new ApiError('FAILED_PRECONDITION', message, options)
}

/** The 403 of a missing permission, with what Google leaves out: which predefined roles have it (narrowest first), and a `note` about the caller's own roles. */
export function permissionDenied(permission: string, resource: string, principal: string, rolesWithIt: readonly string[], note = ''): ApiError {
  const remedy = rolesWithIt.length === 0 ? '' : ` Roles that have it: ${rolesWithIt.slice(0, 4).join(', ')}.`
  return new ApiError('PERMISSION_DENIED', `Permission '${permission}' denied on resource '${resource}' (or it may not exist) for ${principal}.${note}${remedy}`, {
    details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'IAM_PERMISSION_DENIED', domain: 'iam.googleapis.com', metadata: { permission, resource } }],
  })
}

/** The 403 of a call to a service that the project did not enable, in the words that Google's clients look for. */
export function serviceDisabled(service: string, projectId: string, projectNumber: string): ApiError {
  const url = `https://console.developers.google.com/apis/api/${service}/overview?project=${projectId}`
  return new ApiError(
    'PERMISSION_DENIED',
    `${service} API has not been used in project ${projectId} before or it is disabled. Enable it by visiting ${url} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.`,
    {
      reason: 'accessNotConfigured',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'SERVICE_DISABLED',
          domain: 'googleapis.com',
          metadata: { service, consumer: `projects/${projectNumber}`, activationUrl: url },
        },
      ],
    },
  )
}
