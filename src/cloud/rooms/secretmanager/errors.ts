/** Errors of Secret Manager in Google's words. */
import { alreadyExists, failedPrecondition, notFound } from '../../kernel/api-error.ts'
import type { ApiError } from '../../kernel/api-error.ts'

export function secretNotFound(name: string): ApiError {
  return notFound(`Secret [${name}] not found.`)
}

export function secretExists(name: string): ApiError {
  return alreadyExists(`Secret [${name}] already exists.`)
}

export function versionNotFound(name: string): ApiError {
  return notFound(`Secret Version [${name}] not found.`)
}

export function versionInState(name: string, state: string): ApiError {
  return failedPrecondition(`Secret Version [${name}] is in ${state} state.`)
}

export function etagMismatch(name: string): ApiError {
  return failedPrecondition(`The etag provided in the request does not match the resource's etag: [${name}]. Please retry the whole read-modify-write with exponential backoff.`)
}
