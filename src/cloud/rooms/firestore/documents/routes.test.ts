import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../../base/wait.ts'
import { startTestCloud } from '../../../kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../../../kernel/testing.ts'
import { createFirestoreRoom } from '../index.ts'

const ROOT = 'projects/p-one/databases/(default)/documents'
let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createFirestoreRoom()])
  cloud.addProject('p-one')
  const made = await cloud.call('POST', 'firestore.googleapis.com/v1/projects/p-one/databases?databaseId=(default)', { body: { type: 'FIRESTORE_NATIVE', locationId: 'nam5' } })
  if (made.status !== 200) throw new Error(made.text)
})
afterAll(() => cloud.close())

function api(method: string, path: string, options?: CallOptions): Promise<CallResult> {
  return cloud.call(method, `firestore.googleapis.com/v1/${ROOT}${path}`, options)
}

function text(stringValue: string): object {
  return { stringValue }
}

function int(value: number): object {
  return { integerValue: String(value) }
}

async function set(path: string, fields: object): Promise<void> {
  const answer = await api('PATCH', `/${path}`, { body: { fields } })
  expect(answer.status, answer.text).toBe(200)
}

async function ids(collectionId: string, structuredQuery: object, parent = ''): Promise<string[]> {
  const answer = await api('POST', `${parent}:runQuery`, { body: { structuredQuery: { from: [{ collectionId }], ...structuredQuery } } })
  expect(answer.status, answer.text).toBe(200)
  return answer.json.flatMap((each: { document?: { name: string } }) => each.document?.name.split('/').at(-1) ?? [])
}

async function makeIndex(collection: string, ...fields: string[]): Promise<void> {
  const body = { queryScope: 'COLLECTION', fields: fields.map((each) => ({ fieldPath: each.split(' ')[0], order: each.split(' ')[1] })) }
  const admin = 'firestore.googleapis.com/v1/projects/p-one/databases/(default)'
  const made = await cloud.call('POST', `${admin}/collectionGroups/${collection}/indexes`, { body })
  expect(made.status, made.text).toBe(200)
  await waitFor({ what: 'the index', timeoutMs: 5000, intervalMs: 10, code: 'E_API' }, async () => {
    const now = await cloud.call('GET', `${admin}/collectionGroups/${collection}/indexes`)
    return now.json.indexes.every((index: { state: string }) => index.state === 'READY') ? { done: true, value: undefined } : { done: false, status: now.text }
  })
}

const where = (fieldPath: string, op: string, value: object): object => ({ fieldFilter: { field: { fieldPath }, op, value } })
const by = (fieldPath: string, direction = 'ASCENDING'): object => ({ field: { fieldPath }, direction })

test('a document is created, read, changed by mask, and deleted; every type of value comes back', async () => {
  const fields = {
    nothing: { nullValue: null },
    yes: { booleanValue: true },
    big: { integerValue: '9007199254740993' },
    half: { doubleValue: 0.5 },
    nan: { doubleValue: 'NaN' },
    when: { timestampValue: '2026-01-02T03:04:05.123456Z' },
    name: text('Änne'),
    bytes: { bytesValue: 'AAEC' },
    ref: { referenceValue: `${ROOT}/users/ann` },
    place: { geoPointValue: { latitude: 1.5, longitude: -2 } },
    list: { arrayValue: { values: [int(1), text('two')] } },
    map: { mapValue: { fields: { 'with.dot': int(1), inner: { mapValue: {} } } } },
  }
  const made = await api('POST', '/users?documentId=ann', { body: { fields } })
  expect(made.json).toMatchObject({ name: `${ROOT}/users/ann`, fields, createTime: expect.stringMatching(/\.\d{6}Z$/) })
  expect(made.json.updateTime).toBe(made.json.createTime)
  expect((await api('POST', '/users?documentId=ann', { body: {} })).json.error).toMatchObject({
    code: 409,
    status: 'ALREADY_EXISTS',
    message: `Document already exists: ${ROOT}/users/ann`,
  })
  await cloud.restart()
  expect((await api('GET', '/users/ann')).json).toEqual(made.json)
  expect((await api('GET', '/users/ann?mask.fieldPaths=yes&mask.fieldPaths=map.%60with.dot%60')).json.fields).toEqual({
    yes: { booleanValue: true },
    map: { mapValue: { fields: { 'with.dot': int(1) } } },
  })
  const changed = await api('PATCH', '/users/ann?updateMask.fieldPaths=yes&updateMask.fieldPaths=map.inner&updateMask.fieldPaths=half&updateMask.fieldPaths=new.deep', {
    body: { fields: { yes: { booleanValue: false }, new: { mapValue: { fields: { deep: int(7) } } }, ignored: int(1) } },
  })
  const { half: _half, ...rest } = fields
  expect(changed.json.fields).toEqual({
    ...rest,
    yes: { booleanValue: false },
    map: { mapValue: { fields: { 'with.dot': int(1) } } },
    new: { mapValue: { fields: { deep: int(7) } } },
  })
  expect(changed.json.updateTime > made.json.updateTime).toBe(true)
  expect((await api('DELETE', '/users/ann')).json).toEqual({})
  expect((await api('GET', '/users/ann')).json.error).toMatchObject({ code: 404, message: `Document "${ROOT}/users/ann" not found.` })
  expect((await api('DELETE', '/users/ann')).status).toBe(200)
  const auto = await api('POST', '/users', { body: { fields: {} } })
  expect(auto.json.name).toMatch(/\/users\/[A-Za-z0-9]{20}$/)
})

test('what is no document, value or database is refused', async () => {
  for (const value of [
    {},
    { stringValue: 1 },
    { integerValue: '1.5' },
    { integerValue: '9223372036854775808' },
    { foo: 1 },
    { stringValue: 'a', integerValue: '1' },
    { arrayValue: { values: [{ arrayValue: {} }] } },
    { timestampValue: 'now' },
    { geoPointValue: { latitude: 91 } },
  ])
    expect((await api('PATCH', '/bad/x', { body: { fields: { v: value } } })).status, JSON.stringify(value)).toBe(400)
  expect((await api('PATCH', '/bad/x', { body: { fields: { __reserved__: int(1) } } })).status).toBe(400)
  expect((await api('PATCH', '/bad/__x__', { body: {} })).status).toBe(400)
  expect((await api('PATCH', '/only-collection', { body: {} })).status).toBe(400)
  expect((await api('PATCH', '/bad/x', { body: { fields: { v: text('x'.repeat(2_100_000)) } } })).status).toBe(400)
  const missing = await cloud.call('GET', 'firestore.googleapis.com/v1/projects/p-one/databases/none/documents/a/b')
  expect(missing.json.error).toMatchObject({ code: 404, message: expect.stringContaining('The database none does not exist for project p-one') })
  expect((await api('GET', '/a/b?readTime=2026-01-01T00:00:00Z')).status).toBe(501)
})

test('a commit is whole or nothing; preconditions and transforms', async () => {
  const name = (id: string): string => `${ROOT}/c/${id}`
  const commit = (writes: object[], transaction?: string): Promise<CallResult> => api('POST', ':commit', { body: { writes, transaction } })
  const first = await commit([{ update: { name: name('a'), fields: { n: int(1) } }, currentDocument: { exists: false } }, { update: { name: name('b'), fields: {} } }])
  expect(first.json.writeResults).toHaveLength(2)
  expect(first.json.writeResults[0].updateTime).toBe(first.json.commitTime)
  const failing = await commit([{ update: { name: name('c'), fields: {} } }, { update: { name: name('a'), fields: {} }, currentDocument: { exists: false } }])
  expect(failing.json.error.status).toBe('ALREADY_EXISTS')
  expect((await api('GET', '/c/c')).status).toBe(404)
  expect((await commit([{ update: { name: name('zzz'), fields: {} }, currentDocument: { exists: true } }])).json.error).toMatchObject({
    status: 'NOT_FOUND',
    message: `No document to update: ${name('zzz')}`,
  })
  expect((await commit([{ delete: name('a'), currentDocument: { updateTime: '2020-01-01T00:00:00Z' } }])).json.error.status).toBe('FAILED_PRECONDITION')
  const transformed = await commit([
    {
      update: { name: name('a'), fields: { keep: text('x') } },
      updateMask: { fieldPaths: ['keep'] },
      updateTransforms: [
        { fieldPath: 'n', increment: int(4) },
        { fieldPath: 'max', maximum: int(9) },
        { fieldPath: 'at', setToServerValue: 'REQUEST_TIME' },
        { fieldPath: 'tags', appendMissingElements: { values: [text('a'), text('b'), text('a')] } },
        { fieldPath: 'sum', increment: { doubleValue: 0.5 } },
      ],
      currentDocument: { updateTime: first.json.commitTime },
    },
    {
      transform: {
        document: name('a'),
        fieldTransforms: [
          { fieldPath: 'tags', removeAllFromArray: { values: [text('a')] } },
          { fieldPath: 'n', minimum: int(3) },
        ],
      },
    },
  ])
  expect(transformed.json.writeResults[0].transformResults).toEqual([int(5), int(9), { timestampValue: transformed.json.commitTime }, { nullValue: null }, { doubleValue: 0.5 }])
  expect((await api('GET', '/c/a')).json.fields).toEqual({
    n: int(3),
    keep: text('x'),
    max: int(9),
    at: { timestampValue: transformed.json.commitTime },
    tags: { arrayValue: { values: [text('b')] } },
    sum: { doubleValue: 0.5 },
  })
  const same = await commit([{ update: { name: name('b'), fields: {} } }])
  expect(same.json.writeResults[0].updateTime).toBe(first.json.commitTime)
  const batch = await api('POST', ':batchWrite', {
    body: { writes: [{ update: { name: name('x'), fields: {} } }, { update: { name: name('x'), fields: {} }, currentDocument: { exists: false } }] },
  })
  expect(batch.json.status).toEqual([{}, { code: 6, message: `Document already exists: ${name('x')}` }])
  expect((await commit([{ update: { name: 'projects/other/databases/(default)/documents/a/b', fields: {} } }])).status).toBe(400)
  const byNumber = name('b').replace('p-one', cloud.kernel().projects.find('p-one')?.projectNumber ?? '')
  expect((await commit([{ delete: byNumber }])).status).toBe(200)
})

test('a transaction that read what another changed is aborted; one that did not goes through', async () => {
  await set('t/a', { n: int(1) })
  const begin = async (options?: object): Promise<string> => (await api('POST', ':beginTransaction', { body: { options } })).json.transaction
  const write = { update: { name: `${ROOT}/t/b`, fields: { n: int(2) } } }
  const read = (transaction: string): Promise<CallResult> => api('POST', ':batchGet', { body: { documents: [`${ROOT}/t/a`, `${ROOT}/t/none`], transaction } })

  const calm = await begin()
  const seen = await read(calm)
  expect(seen.json).toMatchObject([{ found: { fields: { n: int(1) } } }, { missing: `${ROOT}/t/none` }])
  expect((await api('POST', ':commit', { body: { transaction: calm, writes: [write] } })).status).toBe(200)
  expect((await api('POST', ':commit', { body: { transaction: calm, writes: [write] } })).status).toBe(400)

  const late = await begin()
  await read(late)
  await set('t/a', { n: int(5) })
  expect((await api('POST', ':commit', { body: { transaction: late, writes: [write] } })).json.error).toMatchObject({ code: 409, status: 'ABORTED' })

  const phantom = await begin()
  await api('POST', ':runQuery', { body: { transaction: phantom, structuredQuery: { from: [{ collectionId: 't' }], where: where('n', 'GREATER_THAN', int(100)) } } })
  await set('t/new', { n: int(101) })
  expect((await api('POST', ':commit', { body: { transaction: phantom, writes: [write] } })).json.error.status).toBe('ABORTED')

  const readOnly = await begin({ readOnly: {} })
  expect((await api('POST', ':commit', { body: { transaction: readOnly, writes: [write] } })).status).toBe(400)
  const undone = await begin()
  expect((await api('POST', ':rollback', { body: { transaction: undone } })).json).toEqual({})
  expect((await api('POST', ':commit', { body: { transaction: undone, writes: [write] } })).status).toBe(400)
  const inOne = await api('POST', ':batchGet', { body: { documents: [`${ROOT}/t/a`], newTransaction: { readWrite: {} } } })
  expect(inOne.json[0].transaction).toEqual(expect.any(String))
})

test('queries: filters, order, limits, cursors, selection', async () => {
  const cities: Readonly<Record<string, object>> = {
    BJ: { name: text('Beijing'), country: text('China'), population: int(21_500_000), regions: { arrayValue: { values: [text('jingjinji'), text('hebei')] } } },
    DC: { name: text('Washington'), country: text('USA'), population: int(680_000), regions: { arrayValue: { values: [text('east_coast')] } } },
    LA: { name: text('Los Angeles'), country: text('USA'), population: int(3_900_000), regions: { arrayValue: { values: [text('west_coast'), text('socal')] } } },
    SF: { name: text('San Francisco'), country: text('USA'), population: int(860_000), regions: { arrayValue: { values: [text('west_coast'), text('norcal')] } } },
    TOK: { name: text('Tokyo'), country: text('Japan'), population: { doubleValue: 9_000_000.5 }, capital: { booleanValue: true } },
    XX: { country: { nullValue: null }, population: text('unknown'), ratio: { doubleValue: 'NaN' } },
  }
  for (const [id, fields] of Object.entries(cities)) await set(`cities/${id}`, fields)
  await makeIndex('cities', 'country ASCENDING', 'population DESCENDING')
  const filtered = (...filters: object[]): Promise<string[]> => ids('cities', { where: filters.length === 1 ? filters[0] : { compositeFilter: { op: 'AND', filters } } })

  expect(await ids('cities', {})).toEqual(['BJ', 'DC', 'LA', 'SF', 'TOK', 'XX'])
  expect(await filtered(where('country', 'EQUAL', text('USA')))).toEqual(['DC', 'LA', 'SF'])
  expect(await filtered(where('population', 'GREATER_THAN', int(860_000)))).toEqual(['LA', 'TOK', 'BJ'])
  expect(await filtered(where('population', 'GREATER_THAN_OR_EQUAL', int(860_000)), where('population', 'LESS_THAN', int(9_000_001)))).toEqual(['SF', 'LA', 'TOK'])
  expect(await filtered(where('country', 'NOT_EQUAL', text('USA')))).toEqual(['BJ', 'TOK'])
  expect(await filtered(where('country', 'IN', { arrayValue: { values: [text('China'), text('Japan')] } }))).toEqual(['BJ', 'TOK'])
  expect(await filtered(where('country', 'NOT_IN', { arrayValue: { values: [text('China'), text('Japan')] } }))).toEqual(['DC', 'LA', 'SF'])
  expect(await filtered(where('regions', 'ARRAY_CONTAINS', text('west_coast')), where('country', 'EQUAL', text('USA')))).toEqual(['LA', 'SF'])
  expect(await filtered(where('regions', 'ARRAY_CONTAINS_ANY', { arrayValue: { values: [text('hebei'), text('norcal')] } }))).toEqual(['BJ', 'SF'])
  expect(await filtered({ unaryFilter: { op: 'IS_NULL', field: { fieldPath: 'country' } } })).toEqual(['XX'])
  expect(await filtered({ unaryFilter: { op: 'IS_NAN', field: { fieldPath: 'ratio' } } })).toEqual(['XX'])
  expect(await filtered({ unaryFilter: { op: 'IS_NOT_NULL', field: { fieldPath: 'capital' } } })).toEqual(['TOK'])
  expect(await filtered(where('__name__', 'GREATER_THAN', { referenceValue: `${ROOT}/cities/SF` }))).toEqual(['TOK', 'XX'])
  expect(await ids('cities', { where: { compositeFilter: { op: 'OR', filters: [where('country', 'EQUAL', text('Japan')), where('name', 'EQUAL', text('Beijing'))] } } })).toEqual([
    'BJ',
    'TOK',
  ])
  // A string sorts after every number; who lacks the field is not there.
  expect(await ids('cities', { orderBy: [by('population', 'DESCENDING')] })).toEqual(['XX', 'BJ', 'TOK', 'LA', 'SF', 'DC'])
  expect(await ids('cities', { orderBy: [by('name')] })).toEqual(['BJ', 'LA', 'SF', 'TOK', 'DC'])
  expect(await ids('cities', { orderBy: [by('country'), by('population', 'DESCENDING')], limit: 3, offset: 1 })).toEqual(['BJ', 'TOK', 'LA'])
  expect(await ids('cities', { orderBy: [by('name')], limit: { value: 2 } })).toEqual(['BJ', 'LA'])
  const cursor = { values: [text('Los Angeles')] }
  expect(await ids('cities', { orderBy: [by('name')], startAt: { ...cursor, before: true } })).toEqual(['LA', 'SF', 'TOK', 'DC'])
  expect(await ids('cities', { orderBy: [by('name')], startAt: cursor })).toEqual(['SF', 'TOK', 'DC'])
  expect(await ids('cities', { orderBy: [by('name')], endAt: cursor })).toEqual(['BJ', 'LA'])
  expect(await ids('cities', { orderBy: [by('name')], endAt: { ...cursor, before: true } })).toEqual(['BJ'])
  expect(await ids('cities', { orderBy: [by('name', 'DESCENDING')], startAt: cursor })).toEqual(['BJ'])
  const selected = await api('POST', ':runQuery', { body: { structuredQuery: { from: [{ collectionId: 'cities' }], select: { fields: [{ fieldPath: 'name' }] }, limit: 1 } } })
  expect(selected.json[0].document.fields).toEqual({ name: text('Beijing') })
  const none = await api('POST', ':runQuery', { body: { structuredQuery: { from: [{ collectionId: 'nothing' }] } } })
  expect(none.json).toEqual([{ readTime: expect.any(String) }])
  const counted = await api('POST', ':runAggregationQuery', {
    body: {
      structuredAggregationQuery: {
        structuredQuery: { from: [{ collectionId: 'cities' }], where: where('country', 'EQUAL', text('USA')) },
        aggregations: [
          { alias: 'all', count: {} },
          { alias: 'two', count: { upTo: '2' } },
          { alias: 'people', sum: { field: { fieldPath: 'population' } } },
          { avg: { field: { fieldPath: 'missing' } } },
        ],
      },
    },
  })
  expect(counted.json[0].result.aggregateFields).toEqual({ all: int(3), two: int(2), people: int(5_440_000), field_4: { nullValue: null } })
  for (const bad of [
    { where: where('a', 'LIKE', int(1)) },
    { where: where('a', 'IN', int(1)) },
    { where: {} },
    { from: [{ collectionId: 'a' }, { collectionId: 'b' }] },
    { orderBy: [by('a..b')] },
  ])
    expect((await api('POST', ':runQuery', { body: { structuredQuery: bad } })).status, JSON.stringify(bad)).toBe(400)
})

test('a query that Google answers only with a composite index is refused without one, and told the command', async () => {
  const query = (filters: object[], ...orderBy: object[]): object => ({
    from: [{ collectionId: 'ix' }],
    where: filters.length === 0 ? undefined : { compositeFilter: { op: 'AND', filters } },
    orderBy,
  })
  const status = async (structuredQuery: object): Promise<string> => {
    const answer = await api('POST', ':runQuery', { body: { structuredQuery } })
    return answer.status === 200 ? 'fine' : answer.json.error.status
  }
  const a = where('a', 'EQUAL', int(1))
  const b = where('b', 'EQUAL', int(1))
  for (const fine of [
    query([a, b]),
    query([a], by('a')),
    query([], by('a', 'DESCENDING')),
    query([where('a', 'GREATER_THAN', int(1)), where('a', 'LESS_THAN', int(5))]),
    query([a, where('t', 'ARRAY_CONTAINS', int(1))]),
  ])
    expect(await status(fine), JSON.stringify(fine)).toBe('fine')
  const needing = query([a, b], by('c', 'DESCENDING'))
  for (const refused of [
    needing,
    query([], by('a'), by('b')),
    query([a, where('c', 'GREATER_THAN', int(1))]),
    query([where('a', 'GREATER_THAN', int(1)), where('b', 'LESS_THAN', int(1))]),
  ])
    expect(await status(refused), JSON.stringify(refused)).toBe('FAILED_PRECONDITION')
  const answer = await api('POST', ':runQuery', { body: { structuredQuery: needing } })
  expect(answer.json.error.message).toContain(
    'gcloud firestore indexes composite create --collection-group=ix --field-config=field-path=a,order=ascending --field-config=field-path=b,order=ascending --field-config=field-path=c,order=descending',
  )
  await makeIndex('ix', 'a ASCENDING', 'c ASCENDING')
  expect(await status(needing)).toBe('FAILED_PRECONDITION')
  await makeIndex('ix', 'b ASCENDING', 'c ASCENDING')
  expect(await status(needing), 'two indexes are merged, and read backwards').toBe('fine')
  expect(await status(query([a, where('c', 'GREATER_THAN', int(1))]))).toBe('fine')
  expect(await status(query([], by('a'), by('c', 'DESCENDING')))).toBe('FAILED_PRECONDITION')
})

test('enumerations may come as numbers', async () => {
  await set('numbers/x', { n: int(3) })
  const structuredQuery = {
    where: { compositeFilter: { op: 1, filters: [{ fieldFilter: { field: { fieldPath: 'n' }, op: 5, value: int(3) } }] } },
    orderBy: [{ field: { fieldPath: '__name__' }, direction: 2 }],
  }
  expect(await ids('numbers', structuredQuery)).toEqual(['x'])
})

test('collections below documents: groups, lists with missing parents, names of collections', async () => {
  await set('rooms/one', { n: int(1) })
  await set('rooms/one/messages/m1', { n: int(1) })
  await set('rooms/ghost/messages/m2', { n: int(2) })
  await set('other/messages', {})
  expect(await ids('messages', {}, '/rooms/one')).toEqual(['m1'])
  expect(await ids('messages', { from: [{ collectionId: 'messages', allDescendants: true }] })).toEqual(['m2', 'm1'])
  expect((await api('GET', '/rooms')).json.documents).toHaveLength(1)
  const withMissing = await api('GET', '/rooms?showMissing=true&pageSize=1')
  expect(withMissing.json).toEqual({ documents: [{ name: `${ROOT}/rooms/ghost` }], nextPageToken: expect.any(String) })
  expect((await api('GET', `/rooms?showMissing=true&pageToken=${withMissing.json.nextPageToken}`)).json.documents[0].name).toBe(`${ROOT}/rooms/one`)
  expect((await api('POST', '/rooms/one:listCollectionIds')).json).toEqual({ collectionIds: ['messages'] })
  expect((await api('POST', ':listCollectionIds')).json.collectionIds).toEqual(expect.arrayContaining(['rooms', 'other']))
})

test('a range of names over every collection below: the least id is a number', async () => {
  for (const path of ['shelf/0', 'shelf/A', 'shelf/A/pages/1', 'shelfmark/A']) await set(path, { n: int(1) })
  const name = (path: string): object => ({ referenceValue: `${ROOT}/${path}` })
  const least = '__id-9223372036854775808__'
  // What Google's libraries ask before they delete a whole collection; over gRPC no collection is an empty one.
  const query = {
    from: [{ collectionId: '', allDescendants: true }],
    where: {
      compositeFilter: {
        op: 'AND',
        filters: [where('__name__', 'GREATER_THAN_OR_EQUAL', name(`shelf/${least}`)), where('__name__', 'LESS_THAN', name(`shelf\u0000/${least}`))],
      },
    },
  }
  expect(await ids('', query)).toEqual(['0', 'A', '1'])
})

test('readers read and do not write; deleting the database takes its documents', async () => {
  cloud.kernel().policies.grant('projects/p-one', 'roles/datastore.viewer', 'user:reader@example.com')
  const token = cloud.userToken('reader@example.com')
  await set('seen/x', {})
  expect((await api('GET', '/seen/x', { token })).status).toBe(200)
  expect((await api('PATCH', '/seen/x', { token, body: {} })).status).toBe(403)
  expect((await api('POST', ':commit', { token, body: { writes: [{ delete: `${ROOT}/seen/x` }] } })).status).toBe(403)
  expect((await api('POST', '/seen?documentId=y', { token, body: {} })).status).toBe(403)
  expect((await api('POST', ':commit', { token, body: {} })).status).toBe(200)
  const databases = 'firestore.googleapis.com/v1/projects/p-one/databases'
  expect((await cloud.call('DELETE', `${databases}/(default)`)).status).toBe(200)
  expect((await api('GET', '/seen/x')).status).toBe(404)
  await cloud.call('POST', `${databases}?databaseId=(default)`, { body: { type: 'FIRESTORE_NATIVE', locationId: 'nam5' } })
  expect((await api('GET', '/seen')).json).toEqual({})
})
