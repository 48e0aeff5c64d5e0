/** The inventory and the lease on disk: restarts, newer data, and two processes. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../store/database.ts'
import { openInventory } from './inventory.ts'
import { acquireLease, leaseHolder } from './lease.ts'

let home: { engine: string }
beforeEach(() => {
  home = { engine: mkdtempSync(join(tmpdir(), 'kiln-engine-')) }
})
afterEach(() => rmSync(home.engine, { recursive: true, force: true }))

const row = { address: 'thing/a', kind: 'thing', identity: { name: 'a' }, dependsOn: ['thing/b'] } as const

test('rows are there after a restart, also those of things that are only begun', () => {
  const first = openInventory(home, 'moshi-3')
  first.intend(row)
  first.close()
  const second = openInventory(home, 'moshi-3')
  expect(second.rows()).toEqual([{ ...row, attributes: undefined, made: true, state: 'creating' }])
  second.record({ ...row, attributes: { id: '7' }, made: true })
  second.intendDelete('thing/a')
  expect(second.get('thing/a')).toEqual({ ...row, attributes: { id: '7' }, made: true, state: 'deleting' })
  const aside = second.setAside('thing/a')
  expect(aside).toMatch(/^thing\/a~old-/)
  expect(second.get('thing/a')).toBeUndefined()
  second.forget(aside)
  expect(second.rows()).toEqual([])
  second.close()
})

test('an inventory that a newer Kiln wrote is refused, and left as it is', () => {
  openInventory(home, 'moshi-3').close()
  const path = join(home.engine, 'moshi-3.db')
  const database = openDatabase(path)
  database.run("UPDATE kiln_migrations SET version = 99 WHERE namespace = 'engine.inventory'")
  database.close()
  expect(() => openInventory(home, 'moshi-3')).toThrow(expect.objectContaining({ code: 'E_DATA_NEWER' }))
})

test('a stack name cannot leave the folder', () => {
  expect(() => openInventory(home, '../moshi')).toThrow(expect.objectContaining({ code: 'E_PLAN' }))
})

test('the second one is told who holds the lease, and gets it after the release', async () => {
  const lease = await acquireLease(home, 'moshi-3', 'up')
  await expect(acquireLease(home, 'moshi-3', 'destroy')).rejects.toMatchObject({ code: 'E_LOCKED', message: expect.stringContaining(`(pid ${process.pid})`) })
  expect((await leaseHolder(home, 'moshi-3'))?.verb).toBe('up')
  await (await acquireLease(home, 'other', 'up')).release()
  await lease.release()
  await lease.release()
  expect(await leaseHolder(home, 'moshi-3')).toBeUndefined()
  await (await acquireLease(home, 'moshi-3', 'destroy')).release()
})

test('a holder in another process is named; when it is killed the lease is free at once', async () => {
  const script = `
    const { acquireLease } = await import(process.env.LEASE)
    await acquireLease({ engine: process.env.ENGINE }, 'moshi-3', 'bake')
    process.stdout.write('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, ENGINE: home.engine, LEASE: new URL('./lease.ts', import.meta.url).href },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.once('exit', () => reject(new Error('the holder ended early')))
    })
    await expect(acquireLease(home, 'moshi-3', 'up')).rejects.toMatchObject({
      code: 'E_LOCKED',
      message: expect.stringMatching(new RegExp(`kiln bake.* pid ${child.pid}\\) since 20`.replace(' pid', '.*pid'))),
    })
  } finally {
    child.kill('SIGKILL')
    await ended
  }
  const lease = await acquireLease(home, 'moshi-3', 'up')
  expect(lease.holder.process.pid).toBe(process.pid)
  await lease.release()
})
