import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeAll, writeFileDurable } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import type { KilnHome } from '../../host/home.ts'
import { readPackageMemo, writePackageMemo } from './package-memo.ts'

let home: KilnHome
beforeAll(async () => {
  home = kilnHome({ KILN_HOME: await mkdtemp(join(tmpdir(), 'kiln-memo-')) })
})
afterAll(() => removeAll(home.root))

const memo = { sourceDigest: 'a'.repeat(64), name: 'moshi-server', version: '0.1.0', sha256: 'b'.repeat(64), fileName: 'moshi_server-0.1.0-py3-none-any.whl' }

test('remembers the last build of this very source, per stack', async () => {
  expect(await readPackageMemo(home, 'moshi-3', memo.sourceDigest)).toBeUndefined()
  await writePackageMemo(home, 'moshi-3', memo)
  expect(await readPackageMemo(home, 'moshi-3', memo.sourceDigest)).toEqual(memo)
  expect(await readPackageMemo(home, 'moshi-3', 'c'.repeat(64))).toBeUndefined()
  expect(await readPackageMemo(home, 'moshi-4', memo.sourceDigest)).toBeUndefined()
})

test.each(['', '{"sourceDigest":', '[]', JSON.stringify({ ...memo, sha256: 1 })])('a memo that cannot be read is none: %j', async (text) => {
  await writeFileDurable(join(home.engine, 'broken.wheel.json'), text)
  expect(await readPackageMemo(home, 'broken', memo.sourceDigest)).toBeUndefined()
})
