/** What pip inside a root needs to reach an index on https. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { indexEnvironment, writeTrust } from './index-access.ts'

const index = 'https://us-central1-python.pkg.dev/p/pypi/simple/'

test('an index on this machine needs nothing of the environment', async () => {
  expect(indexEnvironment('http://127.0.0.1:1/simple/', '/run/kiln/scratch', { HTTPS_PROXY: 'http://proxy' })).toEqual({})
})

test('proxies pass, and the certificates that this machine trusts are found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-trust-'))
  const bundle = join(folder, 'bundle.pem')
  await writeFile(bundle, 'certificates')
  const env = {
    HTTPS_PROXY: 'http://proxy:3128',
    no_proxy: '',
    NO_PROXY: 'localhost',
    REQUESTS_CA_BUNDLE: join(folder, 'gone.pem'),
    SSL_CERT_FILE: bundle,
    HTTP_PROXY: 'http://other',
  }
  expect(indexEnvironment(index, '/run/kiln/scratch', env)).toEqual({ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost', REQUESTS_CA_BUNDLE: '/run/kiln/scratch/ca.pem' })
  await writeTrust(index, folder, env)
  expect(await readFile(join(folder, 'ca.pem'), 'utf8')).toBe('certificates')
  await rm(join(folder, 'ca.pem'))
  await writeTrust('http://127.0.0.1:1/simple/', folder, env)
  expect(await readdir(folder)).toEqual(['bundle.pem'])
  await rm(folder, { recursive: true })
})
