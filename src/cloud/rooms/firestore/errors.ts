/** Errors of Firestore in Google's words. */
import { alreadyExists, failedPrecondition, notFound } from '../../kernel/api-error.ts'
import type { ApiError } from '../../kernel/api-error.ts'

export function databaseNotFound(projectId: string, databaseId: string): ApiError {
  return notFound(`Project '${projectId}' or database '${databaseId}' does not exist.`)
}

export function databaseExists(): ApiError {
  return alreadyExists('Database already exists. Please use another database_id')
}

export function deleteProtected(): ApiError {
  return failedPrecondition('Database has delete protection enabled. Disable delete protection before deleting the database.')
}

export function etagMismatch(): ApiError {
  return failedPrecondition('The etag of the request does not match the current etag of the database.')
}

export function operationNotFound(name: string): ApiError {
  return notFound(`Operation not found: ${name}`)
}
