import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyFieldMask, parseFieldMask } from './partial-response.ts'
import { startTestCloud } from './testing.ts'
import type { TestCloud } from './testing.ts'

const reply = {
  kind: 'list',
  nextPageToken: 't',
  items: [
    { name: 'a', size: '1', owner: { entity: 'e', id: 'i' }, labels: { x: '1', y: '2' } },
    { name: 'b', acl: [{ role: 'R', entity: 'z' }] },
  ],
}

test.each([
  ['kind', { kind: 'list' }],
  ['kind,nextPageToken', { kind: 'list', nextPageToken: 't' }],
  ['items/name', { items: [{ name: 'a' }, { name: 'b' }] }],
  ['items/name,nextPageToken', { items: [{ name: 'a' }, { name: 'b' }], nextPageToken: 't' }],
  ['items(name,size),nextPageToken', { items: [{ name: 'a', size: '1' }, { name: 'b' }], nextPageToken: 't' }],
  ['items(name,owner/entity)', { items: [{ name: 'a', owner: { entity: 'e' } }, { name: 'b' }] }],
  ['items/owner/entity', { items: [{ owner: { entity: 'e' } }, {}] }],
  ['items(acl(role))', { items: [{}, { acl: [{ role: 'R' }] }] }],
  ['items/labels/x,items/name', { items: [{ name: 'a', labels: { x: '1' } }, { name: 'b' }] }],
  [
    'items/*/entity',
    {
      items: [
        { name: 'a', size: '1', owner: { entity: 'e' }, labels: {} },
        { name: 'b', acl: [{ entity: 'z' }] },
      ],
    },
  ],
  ['*', reply],
  ['items/name,items', { items: reply.items }],
  ['items,items/name', { items: reply.items }],
  [' kind , nextPageToken ', { kind: 'list', nextPageToken: 't' }],
  ['nothing/of/this', {}],
])('%s', (mask, wanted) => {
  expect(applyFieldMask(reply, parseFieldMask(mask))).toEqual(wanted)
})

test.each(['', ',', 'a,', 'a/', '/a', 'a(', 'a()', 'a(b', 'a)b', 'a(b))', 'a b', 'a//b', '(a)', `${'a/'.repeat(60)}a`])('%j is no mask', (mask) => {
  expect(() => parseFieldMask(mask)).toThrow('Invalid field selection')
})

let cloud: TestCloud
beforeAll(async () => {
  cloud = await startTestCloud(() => [
    {
      id: 'toy',
      service: 'toy.googleapis.com',
      alwaysEnabled: true,
      hosts: [{ name: 'api', match: 'toy.googleapis.com' }],
      migrations: { namespace: 'toy', steps: [] },
      routes: () => [
        { id: 'toy.list', method: 'GET', path: '/v1/list', permission: 'public', handler: () => reply },
        { id: 'toy.text', method: 'GET', path: '/v1/text', permission: 'public', handler: () => 'kind' },
      ],
    },
  ])
})
afterAll(() => cloud.close())

test('over HTTP: as fields, $fields or the header; a bad one is 400; text is left alone; conditions on what has no etag do no harm', async () => {
  const list = (query: string, headers: Record<string, string> = {}): ReturnType<TestCloud['call']> => cloud.call('GET', `toy.googleapis.com/v1/list${query}`, { headers })
  expect((await list('?fields=items(name),kind')).json).toEqual({ kind: 'list', items: [{ name: 'a' }, { name: 'b' }] })
  expect((await list('?%24fields=kind')).json).toEqual({ kind: 'list' })
  expect((await list('', { 'x-goog-fieldmask': 'kind' })).json).toEqual({ kind: 'list' })
  expect((await list('?fields=')).json).toEqual(reply)
  expect((await list('?fields=items(')).json.error).toMatchObject({ code: 400, errors: [{ reason: 'invalidParameter' }] })
  expect((await cloud.call('GET', 'toy.googleapis.com/v1/text?fields=kind')).text).toBe('kind')
  expect((await list('', { 'if-none-match': '*', 'if-match': '"x"', 'if-modified-since': 'no date' })).json).toEqual(reply)
})

test('prettyPrint=false gives the same without spaces', async () => {
  for (const query of ['prettyPrint=false', '%24prettyPrint=false']) expect((await cloud.call('GET', `toy.googleapis.com/v1/list?${query}`)).text).toBe(JSON.stringify(reply))
  expect((await cloud.call('GET', 'toy.googleapis.com/v1/list?prettyPrint=true')).text).toBe(JSON.stringify(reply, null, 2))
})
