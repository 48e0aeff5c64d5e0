import { expect, test } from 'vitest'
import { readElements } from './json-array.ts'

/** The bytes in chunks of the given size, so that every boundary is met. */
async function* chunks(text: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let start = 0; start < bytes.length; start += sizeBytes) yield bytes.subarray(start, start + sizeBytes)
}

async function read(text: string, sizeBytes: number, maxChars = 10_000): Promise<unknown[]> {
  const elements: unknown[] = []
  for await (const element of readElements(chunks(text, sizeBytes), maxChars)) elements.push(element)
  return elements
}

const cases: readonly [string, unknown[]][] = [
  ['[]', []],
  [' [ ] \n', []],
  ['[1,2]', [1, 2]],
  ['[{"a":"]},[{\\"\\\\"},["x,y",[1]],null,"ü😀"]', [{ a: ']},[{"\\' }, ['x,y', [1]], null, 'ü😀']],
  ['[{"a":1}\n,\r\n{"b":[{}]}]\n', [{ a: 1 }, { b: [{}] }]],
  ['{"one":[1,2]}', [{ one: [1, 2] }]],
  ['', []],
]

test.each(cases)('%s in chunks of any size', async (text, expected) => {
  for (const sizeBytes of [1, 2, 3, 7, 1000]) expect(await read(text, sizeBytes)).toEqual(expected)
})

test.each(['[', '[1', '[1,', '[{"a":1}', '[,]', '[1,,2]', 'nope', '[nope]'])('%s is refused', async (text) => {
  await expect(read(text, 2)).rejects.toThrow(SyntaxError)
})

test('the length of an element is bounded, not that of the array', async () => {
  expect(await read(`[${'"abc",'.repeat(100)}1]`, 10, 20)).toHaveLength(101)
  await expect(read(`["${'x'.repeat(100)}"]`, 10, 20)).rejects.toThrow(RangeError)
})
