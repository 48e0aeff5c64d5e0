/** The generated configuration as text, and HAProxy's own opinion of it. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../../../host/exec.ts'
import { removeAll } from '../../../../host/files.ts'
import { errorPages, makeConfig } from './config.ts'
import type { BackendModel, BalancerModel, ConfigPaths } from './config.ts'
import { fmt, join as joined, word } from './config.quote.ts'
import { urlMapLines } from './config.url-map.ts'
import { includesBalancer } from './reach.ts'
import { planOf } from './service.checks.ts'
import { plainBackend } from './testing.model.ts'

const LINK = 'https://www.googleapis.com/compute/v1/projects/p/global/backendServices/web'

const backend = plainBackend({
  id: '7',
  link: LINK,
  requestHeaders: ['X-Mine:a "quoted" $value 100%'],
  check: planOf({ type: 'HTTP', httpHealthCheck: { port: 80, requestPath: '/it\'s "odd" %20#x' } }),
  servers: [{ name: 'i1-80', host: '127.5.0.1', port: 8080, checkPort: 8080, weight: 100, isReady: false }],
})

const paths: ConfigPaths = { statsSocket: '/tmp/s', errorFolder: '/tmp/e' }

function model(fields: Partial<BackendModel> = {}): BalancerModel {
  return { frontends: [{ id: '1', address: '127.5.0.9', port: 80, urlMap: { defaultService: LINK } }], backends: [{ ...backend, ...fields }] }
}

async function checked(of: BalancerModel): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-config-'))
  onTestFinished(() => removeAll(folder))
  const here = { statsSocket: join(folder, 's'), errorFolder: folder }
  for (const page of errorPages()) await writeFile(join(folder, page.name), page.text)
  const { text } = makeConfig(of, here)
  await writeFile(join(folder, 'c'), text)
  await run({ program: 'haproxy', args: ['-c', '-q', '-f', join(folder, 'c')] })
  return text
}

test('servers are no structure, unless cookies tie clients to them', () => {
  const other = { servers: [...backend.servers, { name: 'i2-80', host: '127.5.0.2', port: 8080, checkPort: 8080, weight: 50, isReady: true }] }
  expect(makeConfig(model(other), paths).structure).toBe(makeConfig(model(), paths).structure)
  expect(makeConfig(model(other), paths).text).toContain('server i2-80 127.5.0.2:8080 weight 50 check')
  expect(makeConfig(model({ timeoutSec: 31 }), paths).structure).not.toBe(makeConfig(model(), paths).structure)
  const sticky = { affinity: 'GENERATED_COOKIE' }
  expect(makeConfig(model({ ...other, ...sticky }), paths).structure).not.toBe(makeConfig(model(sticky), paths).structure)
})

test('a change of a health check is structure: servers that are there keep the check they were added with', () => {
  const check = planOf({ type: 'HTTP', checkIntervalSec: 9, httpHealthCheck: { port: 80 } })
  const slower = { ...check, checkIntervalSec: 20 }
  expect(makeConfig(model({ check: slower }), paths).structure).not.toBe(makeConfig(model({ check }), paths).structure)
})

test('HAProxy takes every kind of backend, policy and URL map, whatever the texts hold', async () => {
  const range = { versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges: ['127.0.0.0/8', '::1/128'] } }
  const limit = { rateLimitThreshold: { count: 5, intervalSec: 60 }, exceedAction: 'deny(429)', banDurationSec: 30 }
  const keys = ['ALL', 'IP', 'XFF_IP', 'HTTP_PATH', 'HTTP_HEADER', 'HTTP_COOKIE']
  const rules = keys.flatMap((enforceOnKey, index) => [
    { priority: index, action: 'throttle', match: range, rateLimitOptions: { ...limit, enforceOnKey, enforceOnKeyName: 'x-user' } },
    { priority: 100 + index, action: 'rate_based_ban', match: range, rateLimitOptions: { ...limit, enforceOnKey, enforceOnKeyName: 'x-user' } },
  ])
  const kinds = ['HTTP', 'HTTPS', 'HTTP2', 'H2C'].flatMap((protocol) =>
    (['HTTP', 'HTTPS', 'HTTP2', 'TCP', 'SSL'] as const).flatMap((type) => ['NONE', 'CLIENT_IP', 'GENERATED_COOKIE'].map((affinity) => ({ protocol, type, affinity }))),
  )
  const all = kinds.map(({ protocol, type, affinity }, index) => ({
    ...backend,
    id: String(100 + index),
    protocol,
    affinity,
    check: { ...planOf({ type: 'HTTP', httpHealthCheck: { port: 80, requestPath: '/a b' } }), type },
  }))
  await checked({ ...model(), backends: [backend, ...all] })
  const text = await checked({
    backends: [{ ...backend, scheme: 'EXTERNAL_MANAGED', policy: { rules: [...rules, { priority: 500, action: 'deny(502)', match: { config: { srcIpRanges: ['*'] } } }] } }],
    frontends: [
      {
        id: '1',
        address: '127.5.0.9',
        port: 80,
        urlMap: {
          defaultRouteAction: {
            weightedBackendServices: [
              { backendService: LINK, weight: 900 },
              { backendService: LINK, weight: 100 },
            ],
          },
          headerAction: { requestHeadersToAdd: [{ headerName: 'X-A', headerValue: `%[src] "' $HOME \\ %ci #`, replace: true }], responseHeadersToRemove: ['Server'] },
          hostRules: [{ hosts: ['*', '*.example.com', 'a.example.com'], pathMatcher: 'm' }],
          pathMatchers: [
            {
              name: 'm',
              defaultUrlRedirect: { hostRedirect: 'h"x', pathRedirect: '/50%/#' },
              routeRules: [
                {
                  priority: 1,
                  service: LINK,
                  matchRules: [
                    {
                      prefixMatch: '/a"b',
                      ignoreCase: true,
                      headerMatches: [{ headerName: 'x-b', prefixMatch: "it's", invertMatch: true }],
                      queryParameterMatches: [{ name: 'q', exactMatch: '1' }],
                    },
                  ],
                },
              ],
            },
          ],
        },
      },
    ],
  })
  expect(text).toContain('errorfile 503')
  expect(text).not.toMatch(/[^%]%\[src\] \\"/)
})

test("users' texts stay texts", () => {
  expect(word('a "b" $C \\ \n')).toBe('"a \\"b\\" \\$C \\\\ "')
  expect(fmt('100%')).toBe('"100%%"')
  expect(joined('/x%', { raw: '%[path]' })).toBe('"/x%%%[path]"')
})

test('a redirect to https names the port where https is on this machine, when that is not its own', () => {
  const redirectOf = (httpsPort?: number): string =>
    urlMapLines({ defaultUrlRedirect: { httpsRedirect: true } }, () => undefined, httpsPort).find((line) => line.includes('redirect location')) ?? ''
  expect(redirectOf()).toContain('location "https://%[var(txn.host)]%[path]%[var(txn.query)]" code 301')
  expect(redirectOf(10_443)).toContain('location "https://%[var(txn.host)]:10443%[path]')
})

test('exact hosts come before patterns, longer ones before shorter ones', () => {
  const lines = urlMapLines(
    { defaultService: LINK, hostRules: [{ hosts: ['*', '*.b.c', '*.a.b.c', 'x.b.c'], pathMatcher: 'm' }], pathMatchers: [{ name: 'm', defaultService: LINK }] },
    () => 'b7',
  )
  const hosts = lines.filter((line) => line.includes('set-var(txn.matcher)')).map((line) => /"([^"]*)"/.exec(line)?.[1] ?? '*')
  expect(hosts).toEqual(['x.b.c', '.a.b.c', '.b.c', '*'])
})

test('which firewall ranges mean the balancer', () => {
  expect(['130.211.0.0/22', '35.191.0.0/16', '0.0.0.0/0', '35.0.0.0/8'].map(includesBalancer)).toEqual([true, true, true, true])
  expect(['127.0.0.1/32', '10.0.0.0/8', '::/0', '130.211.4.0/22'].map(includesBalancer)).toEqual([false, false, false, false])
})
