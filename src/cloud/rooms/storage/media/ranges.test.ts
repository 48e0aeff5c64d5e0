import { expect, test } from 'vitest'
import { ApiError } from '../../../kernel/api-error.ts'
import { parseRange, parseUploadRange } from './ranges.ts'

/** What RFC 9110 says, one byte at a time. */
function model(first: number | undefined, last: number | undefined, sizeBytes: number): number[] | 'unsatisfiable' | 'all' {
  const all = Array.from({ length: sizeBytes }, (_each, index) => index)
  if (first === undefined && last === undefined) return 'all'
  if (first !== undefined && last !== undefined && last < first) return 'all'
  const chosen = first === undefined ? all.slice(Math.max(0, sizeBytes - (last ?? 0))) : all.filter((index) => index >= first && index <= (last ?? Number.POSITIVE_INFINITY))
  return chosen.length === 0 ? 'unsatisfiable' : chosen
}

test('every range of every small body is the one that the model chooses', () => {
  const ends = [undefined, 0, 1, 2, 3, 4, 5, 6]
  for (const sizeBytes of [0, 1, 2, 5]) {
    for (const first of ends) {
      for (const last of ends) {
        const header = `bytes=${first ?? ''}-${last ?? ''}`
        const expected = model(first, last, sizeBytes)
        if (expected === 'unsatisfiable') {
          expect(() => parseRange(header, sizeBytes), `${header} of ${sizeBytes}`).toThrow(ApiError)
          continue
        }
        const range = parseRange(header, sizeBytes)
        expect(range, `${header} of ${sizeBytes}`).toEqual(expected === 'all' ? undefined : { start: expected[0], end: expected.at(-1) })
      }
    }
  }
})

test('what is not one range of bytes means all', () => {
  for (const header of [undefined, '', 'bytes', 'bytes=', 'bytes=a-b', 'items=0-1', 'bytes=0-1,3-4', 'bytes=-']) expect(parseRange(header, 10)).toBeUndefined()
})

test('Content-Range of uploads', () => {
  expect(parseUploadRange(undefined)).toBeUndefined()
  expect(parseUploadRange('bytes 0-9/10')).toEqual({ bytes: { start: 0, end: 9 }, totalBytes: 10 })
  expect(parseUploadRange('bytes 5-9/*')).toEqual({ bytes: { start: 5, end: 9 }, totalBytes: undefined })
  expect(parseUploadRange('bytes */10')).toEqual({ bytes: undefined, totalBytes: 10 })
  expect(parseUploadRange('bytes */*')).toEqual({ bytes: undefined, totalBytes: undefined })
  expect(parseUploadRange('bytes 0-*/*')).toEqual({ bytes: { start: 0, end: undefined }, totalBytes: undefined })
  expect(parseUploadRange('bytes 5-*/10')).toEqual({ bytes: { start: 5, end: undefined }, totalBytes: 10 })
  for (const bad of ['bytes 11-*/10', 'bytes *-5/10', 'bytes 0-10/10', 'bytes 5-4/10', 'bytes=0-1/2', 'bytes a-b/c', 'bytes 0-1'])
    expect(() => parseUploadRange(bad), bad).toThrow('Content-Range')
})
