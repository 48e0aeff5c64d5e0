/** What google-github-actions/auth v3 does, call for call and in its order, with the libraries that it is made of. Its inputs have the action's names. */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as core from '@actions/core'
import { HttpClient } from '@actions/http-client'

/** Gives its outputs; what it exports is in GITHUB_ENV and in the environment, as in a job. @throws Error as the action fails */
export async function authenticate(inputs) {
  const { workload_identity_provider: provider, service_account: account, project_id: project, token_format: format } = inputs
  const requestUrl = process.env.ACTIONS_ID_TOKEN_REQUEST_URL
  const audience = inputs.audience ?? `https://iam.googleapis.com/${provider}`
  const client = new HttpClient('google-github-actions:auth/3.0.0', undefined, { allowRedirects: true, allowRetries: true, keepAlive: true, maxRedirects: 5, maxRetries: 3 })
  const outputs = {}
  try {
    const subjectToken = await core.getIDToken(audience)

    const url = new URL(requestUrl)
    url.searchParams.set('audience', audience)
    const accountUrl = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account}`
    outputs.credentials_file_path = join(process.env.GITHUB_WORKSPACE, `gha-creds-${randomUUID().replaceAll('-', '').slice(0, 16)}.json`)
    const file = {
      type: 'external_account',
      audience: `//iam.googleapis.com/${provider}`,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: 'https://sts.googleapis.com/v1/token',
      credential_source: {
        url,
        headers: { Authorization: `Bearer ${process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` },
        format: { type: 'json', subject_token_field_name: 'value' },
      },
      ...(account === undefined ? {} : { service_account_impersonation_url: `${accountUrl}:generateAccessToken` }),
    }
    await writeFile(outputs.credentials_file_path, JSON.stringify(file), { mode: 0o640, flag: 'wx' })
    for (const name of ['CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE', 'GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_GHA_CREDS_PATH'])
      core.exportVariable(name, outputs.credentials_file_path)
    for (const name of ['CLOUDSDK_CORE_PROJECT', 'CLOUDSDK_PROJECT', 'GCLOUD_PROJECT', 'GCP_PROJECT', 'GOOGLE_CLOUD_PROJECT']) core.exportVariable(name, project)

    const exchanged = await post(client, 'https://sts.googleapis.com/v1/token', {
      audience: `//iam.googleapis.com/${provider}`,
      grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
      subjectToken,
    })
    outputs.auth_token = exchanged.access_token
    core.setSecret(outputs.auth_token)

    const headers = { Authorization: `Bearer ${outputs.auth_token}` }
    if (format === 'access_token')
      outputs.access_token = (
        await post(client, `${accountUrl}:generateAccessToken`, { scope: ['https://www.googleapis.com/auth/cloud-platform'], lifetime: '3600s' }, headers)
      ).accessToken
    if (format === 'id_token') outputs.id_token = (await post(client, `${accountUrl}:generateIdToken`, { audience: inputs.id_token_audience, includeEmail: true }, headers)).token
    return outputs
  } finally {
    client.dispose()
  }
}

async function post(client, url, body, headers = {}) {
  const { result } = await client.postJson(url, body, headers)
  if (result === null) throw new Error(`${url}: the answer was empty`)
  return result
}
