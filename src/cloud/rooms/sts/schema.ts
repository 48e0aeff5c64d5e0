/** Requests of the token exchange: a form with underscores from most clients, JSON in camel case from Google's newer ones. https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token */
import { z } from 'zod'

const text = z.string().nullish()

export const TokenBody = z
  .looseObject({
    grant_type: text,
    grantType: text,
    audience: text,
    scope: text,
    requested_token_type: text,
    requestedTokenType: text,
    subject_token: text,
    subjectToken: text,
    subject_token_type: text,
    subjectTokenType: text,
  })
  .transform((body) => ({
    grantType: body.grant_type ?? body.grantType ?? '',
    audience: body.audience ?? '',
    scope: body.scope ?? '',
    requestedTokenType: body.requested_token_type ?? body.requestedTokenType ?? '',
    subjectToken: body.subject_token ?? body.subjectToken ?? '',
    subjectTokenType: body.subject_token_type ?? body.subjectTokenType ?? '',
  }))

export const IntrospectBody = z.looseObject({ token: text })
