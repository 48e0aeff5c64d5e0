/** Errors of Firebase Authentication: one word in capitals, which its client libraries look at. */
import { ApiError, invalidArgument, notFound } from '../../kernel/api-error.ts'

/** @param detail follows the word after a colon, as in `WEAK_PASSWORD : …` */
export function authError(word: string, detail?: string): ApiError {
  return invalidArgument(detail === undefined ? word : `${word} : ${detail}`)
}

export function configurationNotFound(): ApiError {
  return notFound('CONFIGURATION_NOT_FOUND')
}

export function apiKeyInvalid(): ApiError {
  return invalidArgument('API key not valid. Please pass a valid API key.', {
    reason: 'badRequest',
    details: [
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID', domain: 'googleapis.com', metadata: { service: 'identitytoolkit.googleapis.com' } },
    ],
  })
}

export function apiKeyMissing(): ApiError {
  return new ApiError(
    'PERMISSION_DENIED',
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
  )
}
