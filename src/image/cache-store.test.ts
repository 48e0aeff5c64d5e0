import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exists, removeAll } from '../host/files.ts'
import { cacheStore } from './cache-store.ts'

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kiln-cache-'))
})
afterEach(() => removeAll(root))

/** A process that takes the lock "job" and a temporary folder, says so, and waits to be killed. */
async function holder(): Promise<ReturnType<typeof spawn>> {
  const module = fileURLToPath(new URL('cache-store.ts', import.meta.url))
  const script = `const { cacheStore } = await import(${JSON.stringify(module)})
const store = cacheStore(${JSON.stringify(root)})
await store.open()
await store.temporary()
await store.exclusive('job', undefined, () => {}, async () => { console.log('held'); await new Promise((resolve) => setTimeout(resolve, 60_000)) })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  if (child.stdout === null) throw new Error('no output')
  await once(child.stdout, 'data')
  return child
}

describe('entries', () => {
  test('appear complete, under their key; one that is there wins unless replaced', async () => {
    const store = cacheStore(root)
    await store.open()
    for (const [text, replace, expected] of [
      ['one', false, 'one'],
      ['two', false, 'one'],
      ['three', true, 'three'],
    ] as const) {
      const folder = await store.temporary()
      await writeFile(join(folder, 'a'), text)
      await store.keep(folder, 'wheels', 'key', replace)
      expect(await readFile(join(store.path('wheels', 'key'), 'a'), 'utf8')).toBe(expected)
      expect(await exists(folder)).toBe(false)
    }
  })
})

describe('processes', () => {
  test('what a killed process left is removed at the next start, what a live one has stays', async () => {
    const child = await holder()
    const store = cacheStore(root)
    await store.open()
    expect(await readdir(join(root, 'tmp'))).toHaveLength(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const own = await store.temporary()
    await store.open()
    expect(await readdir(join(root, 'tmp'))).toEqual([own.split('/').at(-1)])
  })

  test('a lock of a live process is waited for, one of a killed process is taken over', async () => {
    const child = await holder()
    const store = cacheStore(root)
    let waited = 0
    const order: string[] = []
    const work = store.exclusive(
      'job',
      undefined,
      () => (waited += 1),
      async () => order.push('ours'),
    )
    const other = store.exclusive(
      'other',
      undefined,
      () => {},
      async () => order.push('other'),
    )
    await other
    child.kill('SIGKILL')
    await once(child, 'exit')
    await work
    expect(order).toEqual(['other', 'ours'])
    expect(waited).toBe(1)
    expect(await readdir(join(root, 'locks'))).not.toContain('job')
  })

  test('within one process too, one works at a time and all get their turn', async () => {
    const store = cacheStore(root)
    await store.open()
    let inside = 0
    let most = 0
    const turn = () =>
      store.exclusive(
        'job',
        undefined,
        () => {},
        async () => {
          inside += 1
          most = Math.max(most, inside)
          await new Promise((resolve) => setImmediate(resolve))
          inside -= 1
        },
      )
    await Promise.all([turn(), turn(), turn(), turn()])
    expect(most).toBe(1)
    expect(await readdir(join(root, 'locks'))).toEqual([])
  })

  test('waiting ends when aborted, and a failing work frees the lock', async () => {
    const store = cacheStore(root)
    await mkdir(join(root, 'locks'), { recursive: true })
    await expect(
      store.exclusive(
        'job',
        undefined,
        () => {},
        () => Promise.reject(new Error('broken')),
      ),
    ).rejects.toThrow('broken')
    const controller = new AbortController()
    await store.exclusive(
      'job',
      undefined,
      () => {},
      async () => {
        const second = store.exclusive(
          'job',
          controller.signal,
          () => controller.abort(new Error('stop')),
          async () => {},
        )
        await expect(second).rejects.toThrow('stop')
      },
    )
    expect(await readdir(join(root, 'locks'))).toEqual([])
  })
})
