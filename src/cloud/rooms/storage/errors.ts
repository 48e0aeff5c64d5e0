/** Errors of Cloud Storage in Google's words. https://cloud.google.com/storage/docs/json_api/v1/status-codes */
import { ApiError, invalidArgument, notFound } from '../../kernel/api-error.ts'

export function bucketNotFound(): ApiError {
  return notFound('The specified bucket does not exist.')
}

export function objectNotFound(bucket: string, name: string): ApiError {
  return notFound(`No such object: ${bucket}/${name}`)
}

export function bucketTaken(isOwn: boolean): ApiError {
  return new ApiError(
    'ALREADY_EXISTS',
    isOwn
      ? 'Your previous request to create the named bucket succeeded and you already own it.'
      : 'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
    { reason: 'conflict' },
  )
}

export function bucketNotEmpty(): ApiError {
  return new ApiError('ABORTED', 'The bucket you tried to delete is not empty.', { reason: 'conflict' })
}

export function conditionNotMet(): ApiError {
  return new ApiError('CONDITION_NOT_MET', 'At least one of the pre-conditions you specified did not hold.')
}

export function required(parameter: string): ApiError {
  return invalidArgument(`Required parameter: ${parameter}`, { reason: 'required' })
}
