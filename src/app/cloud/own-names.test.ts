import { expect, test } from 'vitest'
import { firstBindablePort } from '../../host/ports.ts'
import { locateOwnNames } from './own-names.ts'

test("a name leads to the cloud's own address and the port of this machine; all others are left to everybody", async () => {
  const known: Readonly<Record<string, readonly string[]>> = { 'dev.example.com': ['127.9.0.1'], 'www.example.com': ['192.0.2.1'] }
  const locate = locateOwnNames(() => ({ addresses: (host) => known[host] ?? [] }))
  const shift = (await firstBindablePort()) > 443 ? 10_000 : 0
  expect(await locate('dev.example.com', 443)).toEqual({ host: '127.9.0.1', port: 443 + shift })
  expect(await locate('dev.example.com.', 10_443)).toEqual({ host: '127.9.0.1', port: 10_443 })
  expect(await locate('www.example.com', 443)).toBeUndefined()
  expect(await locate('other.example.com', 443)).toBeUndefined()
})
