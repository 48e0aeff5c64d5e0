/** Errors of Cloud DNS in Google's words: they name the parameter or the part of the body ("entity") that is wrong. */
import { alreadyExists, ApiError, invalidArgument, notFound } from '../../kernel/api-error.ts'

export function zoneNotFound(zone: string): ApiError {
  return notFound(`The 'parameters.managedZone' resource named '${zone}' does not exist.`)
}

export function zoneExists(zone: string): ApiError {
  return alreadyExists(`The resource 'entity.managedZone' named '${zone}' already exists`)
}

export function zoneNotEmpty(zone: string): ApiError {
  return invalidArgument(`The resource named '${zone}' cannot be deleted because it contains one or more 'resource records'.`, { reason: 'containerNotEmpty' })
}

/** `entity` says which part of the body: `entity.change.additions[0].name`. */
export function invalidValue(entity: string, value: unknown, why: string): ApiError {
  return invalidArgument(`Invalid value for '${entity}': '${String(value)}' (${why})`)
}

export function required(entity: string): ApiError {
  return invalidArgument(`The '${entity}' parameter is required but was missing.`, { reason: 'required' })
}

export function setExists(entity: string, name: string, type: string): ApiError {
  return alreadyExists(`The resource '${entity}' named '${name} (${type})' already exists`)
}

export function setNotFound(entity: string, name: string, type: string): ApiError {
  return notFound(`The '${entity}' resource named '${name} (${type})' does not exist.`)
}

export function preconditionNotMet(entity: string): ApiError {
  return new ApiError('CONDITION_NOT_MET', `Precondition not met for '${entity}'`)
}

export function cnameConflict(entity: string, name: string): ApiError {
  return invalidArgument(
    `The resource record set '${entity}' is invalid because the DNS name '${name}' may have either one CNAME resource record set or resource record sets of other types, but not both.`,
    { reason: 'cnameResourceRecordSetConflict' },
  )
}

export function apexRequired(entity: string, type: string): ApiError {
  return invalidArgument(`The resource record set '${entity}' is invalid because a zone must contain exactly one resource record set of type '${type}' at the apex.`, {
    reason: 'invalidZoneApex',
  })
}

export function notServed(what: string): ApiError {
  return new ApiError('UNIMPLEMENTED', `${what} is not implemented by the pocket cloud.`)
}
