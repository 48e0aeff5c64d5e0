import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { listObjects } from './service.list.ts'
import type { ListRequest } from './service.list.ts'
import type { ObjectStore, StoredObject } from './store.objects.ts'

function storeOf(names: readonly string[]): ObjectStore & { rows: number } {
  const objects = names.map((name) => ({ name, generation: 1 }) as StoredObject)
  const store = {
    rows: 0,
    after(_bucket: string, cursor: { readonly name: string; readonly generation: number }, _versions: boolean, limit: number) {
      const found = objects.filter(({ name, generation }) => name > cursor.name || (name === cursor.name && generation > cursor.generation)).slice(0, limit)
      store.rows += found.length
      return found
    },
  }
  return store as unknown as ObjectStore & { rows: number }
}

const all: ListRequest = {
  prefix: '',
  delimiter: '',
  startOffset: '',
  endOffset: '',
  includeTrailingDelimiter: false,
  versions: false,
  matchGlob: '',
  maxResults: 1000,
  pageToken: undefined,
}

test('pages of every size hold each item and each group once, as one look at all names says', () => {
  const name = fc.array(fc.constantFrom('a', 'b', '/'), { minLength: 1, maxLength: 5 }).map((letters) => letters.join(''))
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 60 }),
      fc.constantFrom('', '/'),
      fc.constantFrom('', 'a', 'a/', 'b/a'),
      fc.integer({ min: 1, max: 9 }),
      (names, delimiter, prefix, maxResults) => {
        const store = storeOf(names.toSorted())
        const items: string[] = []
        const groups: string[] = []
        let pageToken: string | undefined
        do {
          const page = listObjects(store, 'b', { ...all, delimiter, prefix, maxResults, pageToken })
          expect(page.items.length + page.prefixes.length).toBeLessThanOrEqual(maxResults)
          items.push(...page.items.map((item) => item.name))
          groups.push(...page.prefixes)
          pageToken = page.nextPageToken
        } while (pageToken !== undefined)
        const inside = names.toSorted().filter((each) => each.startsWith(prefix))
        const groupOf = (each: string): string | undefined =>
          delimiter !== '' && each.indexOf('/', prefix.length) !== -1 ? each.slice(0, each.indexOf('/', prefix.length) + 1) : undefined
        expect(items).toEqual(inside.filter((each) => groupOf(each) === undefined))
        expect(groups).toEqual([...new Set(inside.map(groupOf))].filter((each) => each !== undefined))
      },
    ),
  )
})

test('a page reads about as many rows as it shows, a list of groups about one for each', () => {
  const flat = storeOf(Array.from({ length: 5000 }, (_, index) => `o${String(index).padStart(5, '0')}`))
  expect(listObjects(flat, 'b', { ...all, maxResults: 100 }).items).toHaveLength(100)
  expect(flat.rows).toBe(101)
  const grouped = storeOf(Array.from({ length: 5000 }, (_, index) => `${String(index).padStart(5, '0').slice(0, 3)}/${String(index).padStart(5, '0')}`))
  expect(listObjects(grouped, 'b', { ...all, delimiter: '/', maxResults: 20 }).prefixes).toHaveLength(20)
  expect(grouped.rows).toBeLessThan(150)
})
