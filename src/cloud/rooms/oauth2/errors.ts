/** Errors of the token endpoint have OAuth's form (RFC 6749, section 5.2), not that of Google's other APIs. */
export class OauthError extends Error {
  readonly error: string
  readonly httpStatus: number

  /** `description` is what Google's clients print. */
  constructor(
    error: 'invalid_request' | 'invalid_grant' | 'invalid_scope' | 'invalid_token' | 'unauthorized_client' | 'unsupported_grant_type',
    description: string,
    httpStatus = 400,
  ) {
    super(description)
    this.name = 'OauthError'
    this.error = error
    this.httpStatus = httpStatus
  }
}
