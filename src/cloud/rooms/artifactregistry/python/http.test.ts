import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { negotiate } from './negotiate.ts'
import { matchesEtag, parseRange } from './ranges.ts'

const json = 'application/vnd.pypi.simple.v1+json'
const html = 'application/vnd.pypi.simple.v1+html'

describe('content negotiation', () => {
  test.each([
    [undefined, 'text/html; charset=utf-8'],
    ['', 'text/html; charset=utf-8'],
    ['*/*', 'text/html; charset=utf-8'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8'],
    [`${json}, ${html}; q=0.1, text/html; q=0.01`, json],
    [`${json};q=0.1, ${html};q=0.2`, `${html}; charset=utf-8`],
    ['application/vnd.pypi.simple.latest+json', json],
    ['APPLICATION/VND.PYPI.SIMPLE.V1+JSON', json],
    [`${json};q=0, */*;q=0.5`, 'text/html; charset=utf-8'],
    [`text/html;q=0, application/*`, json],
    ['application/*;q=0.2, text/*;q=0.1', json],
  ])('%s gets %s', (accept, contentType) => {
    expect(negotiate(accept)?.contentType).toBe(contentType)
  })

  test('what cannot be served, and the query parameter', () => {
    expect(negotiate('application/json')).toBeUndefined()
    expect(negotiate('application/vnd.pypi.simple.v2+json')).toBeUndefined()
    expect(negotiate('*/*;q=0')).toBeUndefined()
    expect(negotiate('text/html', json)?.form).toBe('json')
    expect(negotiate('text/html', json.replace('+', ' '))?.form).toBe('json')
    expect(negotiate('text/html', 'application/json')).toBeUndefined()
  })

  test('the form with the highest weight wins, whatever the order', () => {
    const weights = fc.tuple(fc.integer({ min: 1, max: 999 }), fc.integer({ min: 1, max: 999 })).filter(([a, b]) => a !== b)
    fc.assert(
      fc.property(weights, fc.boolean(), ([ofJson, ofHtml], jsonFirst) => {
        const items = [`${json};q=${(ofJson / 1000).toFixed(3)}`, `text/html;q=${(ofHtml / 1000).toFixed(3)}`]
        expect(negotiate((jsonFirst ? items : items.reverse()).join(', '))?.form).toBe(ofJson > ofHtml ? 'json' : 'html')
      }),
    )
  })

  test('no header makes it fail', () => {
    fc.assert(
      fc.property(fc.string(), (accept) => {
        expect(['json', 'html', undefined]).toContain(negotiate(accept)?.form)
      }),
    )
  })
})

describe('ranges', () => {
  test('what is given back lies inside of the file and is what was asked for', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1200), fc.nat(1200), (sizeBytes, start, end) => {
        const range = parseRange(`bytes=${start}-${end}`, sizeBytes)
        if (end < start) expect(range.kind).toBe('whole')
        else if (start >= sizeBytes) expect(range.kind).toBe('unsatisfiable')
        else expect(range).toEqual({ kind: 'part', start, end: Math.min(end, sizeBytes - 1) })
      }),
    )
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1200), (sizeBytes, length) => {
        const range = parseRange(`bytes=-${length}`, sizeBytes)
        if (length === 0 || sizeBytes === 0) expect(range.kind).toBe('unsatisfiable')
        else expect(range).toEqual({ kind: 'part', start: Math.max(0, sizeBytes - length), end: sizeBytes - 1 })
      }),
    )
  })

  test('open ends, several ranges, nonsense', () => {
    expect(parseRange('bytes=5-', 10)).toEqual({ kind: 'part', start: 5, end: 9 })
    for (const header of [undefined, '', 'bytes=', 'bytes=-', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=a-b']) expect(parseRange(header, 10), header).toEqual({ kind: 'whole' })
  })

  test('entity tags', () => {
    expect(matchesEtag('"a", W/"b"', '"b"')).toBe(true)
    expect(matchesEtag('*', '"b"')).toBe(true)
    expect(matchesEtag('"a"', '"b"')).toBe(false)
    expect(matchesEtag(undefined, '"b"')).toBe(false)
  })
})
