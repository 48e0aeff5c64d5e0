/** Errors of the token exchange have OAuth's form (RFC 6749, section 5.2; RFC 8693, section 2.2.2). */
export class ExchangeError extends Error {
  readonly error: string

  constructor(error: 'invalid_request' | 'invalid_grant' | 'invalid_target' | 'unauthorized_client' | 'unsupported_grant_type', description: string) {
    super(description)
    this.name = 'ExchangeError'
    this.error = error
  }
}
