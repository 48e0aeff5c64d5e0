/** Compute Engine's own wording and reasons, and the codes that its operations show. */
import { isKilnError } from '../../../base/errors.ts'
import { ApiError, notFound } from '../../kernel/api-error.ts'
import { resourcePath } from './links.ts'
import type { Reference } from './links.ts'

type Named = Pick<Reference, 'projectId' | 'scope' | 'collection' | 'name'>

export function resourceNotFound(reference: Named): ApiError {
  return notFound(`The resource '${resourcePath(reference)}' was not found`, { reason: 'notFound' })
}

/** For an image of one of Google's public projects, which the pocket cloud does not have. */
export function publicImageNotFound(project: string, name: string): ApiError {
  return notFound(
    `The resource 'projects/${project}/global/images/${name}' was not found. The pocket cloud does not carry Google's public images: import one into your project with 'gcloud compute images create NAME --source-uri=gs://BUCKET/IMAGE.tar.gz', or bake one with 'kiln bake'.`,
    { reason: 'notFound' },
  )
}

export function resourceExists(reference: Named): ApiError {
  return new ApiError('ALREADY_EXISTS', `The resource '${resourcePath(reference)}' already exists`, { reason: 'alreadyExists' })
}

export function resourceInUse(reference: Named, by: string): ApiError {
  return new ApiError('INVALID_ARGUMENT', `The ${singular(reference.collection)} resource '${resourcePath(reference)}' is already being used by '${by}'`, {
    reason: 'resourceInUseByAnotherResource',
  })
}

export function resourceNotReady(reference: Named, why: string): ApiError {
  return new ApiError('INVALID_ARGUMENT', `The resource '${resourcePath(reference)}' is not ready: ${why}`, { reason: 'resourceNotReady' })
}

/** What Google answers when a zone has no machine left: here, when this host has too little memory. */
export function poolExhausted(zone: string, why: string): ApiError {
  return new ApiError('UNAVAILABLE', `The zone '${zone}' does not have enough resources available to fulfill the request. ${why}`, { reason: 'ZONE_RESOURCE_POOL_EXHAUSTED' })
}

export function fingerprintMismatch(what: string): ApiError {
  return new ApiError('CONDITION_NOT_MET', `${what} fingerprint either invalid or resource has changed since it was read. Read it again and repeat the change.`, {
    reason: 'conditionNotMet',
  })
}

/** `images` -> `image`. */
export function singular(collection: string): string {
  if (collection === 'addresses') return 'address'
  if (collection.endsWith('Policies') || collection.endsWith('policies')) return collection.replace(/ies$/, 'y')
  return collection.replace(/s$/, '')
}

const operationCodes: Readonly<Record<string, string>> = {
  notFound: 'RESOURCE_NOT_FOUND',
  alreadyExists: 'RESOURCE_ALREADY_EXISTS',
  resourceInUseByAnotherResource: 'RESOURCE_IN_USE_BY_ANOTHER_RESOURCE',
  resourceNotReady: 'RESOURCE_NOT_READY',
  conditionNotMet: 'CONDITION_NOT_MET',
  invalid: 'INVALID_USAGE',
  forbidden: 'PERMISSION_DENIED',
  quotaExceeded: 'QUOTA_EXCEEDED',
}

/** The code in an operation's `error.errors[]` for the legacy reason of an ApiError. */
export function operationCode(reason: string): string {
  return operationCodes[reason] ?? (/^[A-Z_]+$/.test(reason) ? reason : reason.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase())
}

/** An operation's error for whatever its work threw: errors of this machine keep their code, evidence and remedy. */
export function toOperationFailure(error: unknown): unknown {
  if (!isKilnError(error)) return error
  const text = [error.message, error.detail, error.hint].filter((part) => part !== undefined && part !== '').join('\n')
  if (error.code === 'E_DISK_FULL') return new ApiError('RESOURCE_EXHAUSTED', text, { reason: 'quotaExceeded', cause: error })
  return new ApiError('INTERNAL', text, { reason: error.code, cause: error })
}
