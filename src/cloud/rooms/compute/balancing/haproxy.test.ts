import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { removeAll } from '../../../../host/files.ts'
import { kilnHome } from '../../../../host/home.ts'
import { makeConfig } from './config.ts'
import { createHaproxy } from './haproxy.ts'

async function makeHaproxy(find?: () => Promise<string | undefined>): Promise<ReturnType<typeof createHaproxy>> {
  const root = await mkdtemp(join(tmpdir(), 'kiln-haproxy-'))
  const haproxy = createHaproxy(kilnHome({ KILN_HOME: root }), find)
  onTestFinished(async () => {
    await haproxy.stop()
    await removeAll(root)
  })
  return haproxy
}

test('without the program the error names the remedy', async () => {
  const haproxy = await makeHaproxy(async () => undefined)
  const loading = haproxy.load(makeConfig({ frontends: [], backends: [] }, haproxy.paths))
  await expect(loading).rejects.toMatchObject({ code: 'E_TOOL_MISSING', hint: expect.stringContaining('kiln doctor --install') })
  expect(await haproxy.running()).toBeUndefined()
})

test('a process is known again, reloaded in place, and ends with its files', async () => {
  const haproxy = await makeHaproxy()
  const first = makeConfig({ frontends: [{ id: '1', address: '127.1.77.1', port: 18_099, urlMap: { defaultUrlRedirect: { hostRedirect: 'a' } } }], backends: [] }, haproxy.paths)
  await haproxy.load(first)
  expect(await haproxy.running()).toBe(first.structure)
  const second = makeConfig({ frontends: [{ id: '1', address: '127.1.77.1', port: 18_099, urlMap: { defaultUrlRedirect: { hostRedirect: 'b' } } }], backends: [] }, haproxy.paths)
  expect(second.structure).not.toBe(first.structure)
  await haproxy.load(second)
  expect(await haproxy.running()).toBe(second.structure)
  expect((await fetch('http://127.1.77.1:18099/', { redirect: 'manual' })).headers.get('location')).toBe('http://b/')
  await haproxy.stop()
  expect(await haproxy.running()).toBeUndefined()
  await expect(fetch('http://127.1.77.1:18099/')).rejects.toThrow('fetch failed')
})
