import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkFilename, parseFilename } from './filenames.ts'
import { parseMetadata } from './metadata.ts'
import { isValidName, normalizeName } from './names.ts'
import { normalizeVersion, sameVersion } from './versions.ts'

describe('names', () => {
  test('normalising is idempotent and forgets case and which separators were used', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9]{1,8}$/)
    const separator = fc.stringMatching(/^[-_.]{1,3}$/)
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.array(separator, { minLength: 4, maxLength: 4 }), (parts, separators) => {
        const name = parts.map((each, index) => (index === 0 ? each : `${separators[index]}${each}`)).join('')
        expect(isValidName(name)).toBe(true)
        expect(normalizeName(name)).toBe(parts.join('-').toLowerCase())
        expect(normalizeName(normalizeName(name))).toBe(normalizeName(name))
      }),
    )
  })

  test('what is no name', () => {
    for (const name of ['', '-a', 'a-', '.a', 'a b', 'ä', 'a/b', '_']) expect(isValidName(name), name).toBe(false)
  })
})

describe('versions', () => {
  test.each([
    ['1.0', '1.0'],
    ['v1.0', '1.0'],
    ['1.0-Alpha.2', '1.0a2'],
    ['1.0.Preview', '1.0rc0'],
    ['1.0c1', '1.0rc1'],
    ['1.0-1', '1.0.post1'],
    ['1.0-r4', '1.0.post4'],
    ['1.0post', '1.0.post0'],
    ['1.0_dev03', '1.0.dev3'],
    ['1.2.3a4.post5.dev6+Local.7', '1.2.3a4.post5.dev6+local.7'],
    ['01.02', '1.2'],
    ['2!1.0', '2!1.0'],
    ['1.0+ubuntu-1', '1.0+ubuntu.1'],
  ])('%s is %s', (text, normal) => {
    expect(normalizeVersion(text)).toBe(normal)
    expect(normalizeVersion(normal)).toBe(normal)
  })

  test('what is no version', () => {
    for (const text of ['', 'one', '1.0.x', '1..0', '1.0+', '1.0+a b', `1${'.0'.repeat(300)}`, '1.0/..']) expect(normalizeVersion(text), text).toBeUndefined()
  })

  test('trailing zeros do not matter, other numbers do', () => {
    expect(sameVersion('1.0', '1')).toBe(true)
    expect(sameVersion('1.0.0a1', '1a1')).toBe(true)
    expect(sameVersion('1.0.0.post1', '1.post1')).toBe(true)
    expect(sameVersion('1.0.1', '1.1')).toBe(false)
    expect(sameVersion('10', '1')).toBe(false)
    expect(sameVersion('1.10', '1.1')).toBe(false)
    expect(sameVersion('1!1.0', '1.0')).toBe(false)
  })
})

describe('file names', () => {
  test.each([
    ['moshi_server-1.0-py3-none-any.whl', 'moshi-server', '1.0', 'bdist_wheel'],
    ['Moshi.Server-1.0.0-1build-cp311.cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl', 'moshi_server', '1.0', 'bdist_wheel'],
    ['moshi_server-1.0.tar.gz', 'moshi-server', '1.0', 'sdist'],
    ['moshi-server-1.0.tar.gz', 'moshi-server', '1.0', 'sdist'],
    ['moshi-server-1.0-1.zip', 'moshi-server', '1.0.post1', 'sdist'],
    ['foo-2-1.0.tar.gz', 'foo-2', '1.0', 'sdist'],
  ])('%s', (filename, name, version, filetype) => {
    expect(parseFilename(filename, name, version).filetype).toBe(filetype)
  })

  test.each([
    ['moshi-1.0.whl', 'moshi', '1.0', 'expected NAME-VERSION'],
    ['moshi-1.0-py3-none-any.whl', 'other', '1.0', 'belongs to the project moshi'],
    ['moshi-1.0-py3-none-any.whl', 'moshi', '1.1', 'is of version 1.0'],
    ['moshi-1.x-py3-none-any.whl', 'moshi', '1.0', 'does not follow PEP 440'],
    ['moshi-1.0-py3-none-any.whl', 'moshi', 'new', 'does not follow PEP 440'],
    ['moshi-1.0-build-py3-none-any.whl', 'moshi', '1.0', 'must start with a digit'],
    ['moshi-1.0-py3..py2-none-any.whl', 'moshi', '1.0', 'no compatibility tag'],
    ['moshi-1.0.egg', 'moshi', '1.0', 'only wheels'],
    ['moshi.tar.gz', 'moshi', '1.0', 'expected NAME-VERSION.tar.gz'],
    ['other-1.0.tar.gz', 'moshi', '1.0', 'belongs to the project other'],
  ])('%s is refused for %s %s', (filename, name, version, message) => {
    expect(() => parseFilename(filename, name, version)).toThrow(message)
  })

  test('nothing that passes the check could leave its folder', () => {
    for (const bad of ['../x-1.0.tar.gz', '/x-1.0.tar.gz', '..', 'a\\b-1.0.zip', 'a\0.whl', '.hidden', 'ä.whl', 'x'.repeat(256), 'a b.whl', ''])
      expect(() => checkFilename(bad), bad).toThrow('file name')
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '1', '.', '-', '_', '+', '/', '\\', '\0', ' ', '\n', 'é'), maxLength: 6 }), (text) => {
        try {
          checkFilename(text)
        } catch {
          return
        }
        expect(text).not.toMatch(/[/\\\0]|^\./)
      }),
    )
  })
})

test('metadata: continuation lines, newer versions, repeated fields, no body', () => {
  expect(parseMetadata(Buffer.from('Metadata-Version: 9.9\r\nName: a\r\nVersion: 1\r\nRequires-Python: >=3.9,\r\n  <4\r\nName: b\r\n\r\nName: c\r\n'))).toEqual({
    name: 'a',
    version: '1',
    requiresPython: '>=3.9, <4',
    summary: undefined,
  })
  expect(parseMetadata(Buffer.from('Name: a'))).toMatchObject({ name: 'a', version: undefined })
  expect(parseMetadata(Buffer.from(''))).toMatchObject({ name: undefined })
})
