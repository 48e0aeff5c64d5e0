/** An access token of a service account, asked for by the owner (IAM Service Account Credentials API, generateAccessToken). */
import { KilnError } from '../../base/errors.ts'

interface Answer {
  readonly accessToken?: string
  readonly error?: { readonly message: string }
}

/** @throws KilnError E_API with Google's message: no such account, API not enabled … */
export async function impersonate(url: string, token: string, email: string): Promise<string> {
  const response = await fetch(`${url}/iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}:generateAccessToken`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ scope: ['https://www.googleapis.com/auth/cloud-platform'] }),
  })
  const answer = (await response.json()) as Answer
  if (answer.accessToken === undefined) throw new KilnError('E_API', `no token for ${email}: ${answer.error?.message ?? `status ${response.status}`}`)
  return answer.accessToken
}
