import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createClients } from '../../client/clients.ts'
import { servingOf } from '../../compile/serving.ts'
import { Stack } from '../../config/schema.ts'
import { releaseProbes, versionIn } from './probes.ts'

test('versions as text and as JSON', () => {
  expect(['{"name":"a","version":"1.2"}', '"1.2"', ' 1.2\n', '{"version":3}'].map(versionIn)).toEqual(['1.2', '1.2', '1.2', '{"version":3}'])
})

function probesOf(versionPath: string | false = '/version') {
  const config = Stack.parse({
    project: { id: 'moshi-3' },
    location: { region: 'us-central1' },
    images: { base: { debian: 'bookworm' }, app: { from: 'base', entrypoint: '/run.sh' } },
    server: { image: 'app', versionPath, maxErrorPercent: 5 },
  })
  const serving = servingOf(config)
  if (serving === undefined) throw new Error('the config has a server')
  return releaseProbes({ serving, signal: new AbortController().signal, clients: createClients({ rootUrl: 'http://127.0.0.1:9', accessToken: async () => 'none' }) })
}

test('a VM is asked at its external address; what is no 200 says how to do without; false: not asked', async () => {
  const server = createServer((request, response) => {
    if (request.url !== '/version') response.statusCode = 404
    response.end('{"version":"1.0"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const where = { instance: 'a', address: { external: '127.0.0.1', internal: '10.0.0.1' }, port }
    expect(await probesOf().version?.(where)).toBe('1.0')
    await expect(probesOf('/other').version?.(where)).rejects.toThrow(/404.*versionPath: false/)
    await expect(probesOf().version?.({ ...where, address: {} })).rejects.toThrow('no address')
    expect(probesOf(false).version).toBeUndefined()
    expect(probesOf().mostFailedShare).toBe(0.05)
  } finally {
    server.close()
  }
})
