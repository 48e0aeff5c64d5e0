/** Application Default Credentials: what is sent when no token function is given, and what is said when there are none. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClients } from './clients.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-adc-'))
  vi.stubEnv('HOME', folder)
  vi.stubEnv('CLOUDSDK_CONFIG', folder)
  vi.stubEnv('METADATA_SERVER_DETECTION', 'none')
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

function withNetwork(network: (authorization: string | null) => Response) {
  const seen: (string | null)[] = []
  const clients = createClients({
    rootUrl: 'http://127.0.0.1:9',
    retry: { attempts: 1 },
    fetch: async (_url, init) => {
      const authorization = new Headers(init?.headers).get('authorization')
      seen.push(authorization)
      return network(authorization)
    },
  })
  return { clients, seen }
}

test('without credentials the message says how to get some', async () => {
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '')
  const { clients, seen } = withNetwork(() => Response.json({}))
  await expect(clients.cloudBilling.getBillingInfo('p')).rejects.toMatchObject({ code: 'E_PERMISSION', hint: 'run: gcloud auth application-default login' })
  expect(seen).toEqual([])
})

/** A file as workload identity federation writes it, with a token endpoint on this machine. */
async function useExternalAccount(tokenUrl: string): Promise<void> {
  const subject = join(folder, 'subject')
  const path = join(folder, 'credentials.json')
  await writeFile(subject, 'subject-token')
  const account = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: tokenUrl,
    credential_source: { file: subject },
  }
  await writeFile(path, JSON.stringify(account))
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path)
}

test('credentials of the machine sign in once, and again when their token is refused', async () => {
  let tokens = 0
  const server = createServer((_request, response) => {
    tokens += 1
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ access_token: `token-${tokens}`, token_type: 'Bearer', expires_in: 3600 }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await useExternalAccount(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/token`)
  const { clients, seen } = withNetwork((authorization) => (authorization === 'Bearer token-2' ? Response.json({ billingEnabled: true }) : new Response('{}', { status: 401 })))
  expect(await clients.cloudBilling.getBillingInfo('p')).toEqual({ billingEnabled: true })
  await clients.cloudBilling.getBillingInfo('p')
  expect(seen).toEqual(['Bearer token-1', 'Bearer token-2', 'Bearer token-2'])
  expect(await clients.accessToken()).toBe('token-2')
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

test('a sign-in that cannot be reached is the network’s fault, not the credentials’', async () => {
  // port 9 (discard) has no listener
  await useExternalAccount('http://127.0.0.1:9/v1/token')
  const { clients } = withNetwork(() => Response.json({}))
  await expect(clients.cloudBilling.getBillingInfo('p')).rejects.toMatchObject({ code: 'E_NETWORK', message: expect.stringContaining('sign-in could not be reached') })
})
