/** What a process may ask of the system for another one. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { exists } from './files.ts'
import { identifyProcess, processorMs, setSessionNiceness } from './process.ts'

test('a session gives way to others where sessions are groups, and takes it back; elsewhere, and for a process that is gone, nothing happens', async () => {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
  await new Promise((resolve) => child.once('spawn', resolve))
  const { pid = 0 } = child
  try {
    const group = `/proc/${pid}/autogroup`
    for (const niceness of [10, 0]) {
      await setSessionNiceness(pid, niceness)
      expect((await exists(group)) ? await readFile(group, 'utf8') : `nice ${niceness}`).toContain(`nice ${niceness}`)
    }
  } finally {
    child.kill('SIGKILL')
  }
  await new Promise((resolve) => child.once('exit', resolve))
  await expect(setSessionNiceness(pid, 10)).resolves.toBeUndefined()
})

test('the processor time of a process grows while it works, and is that of nobody else', async () => {
  const child = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('spawn', resolve))
  const identity = await identifyProcess(child.pid ?? 0)
  if (identity === undefined) throw new Error('there is no process')
  try {
    await expect.poll(() => processorMs(identity), { timeout: 30_000 }).toBeGreaterThan(50)
    expect(await processorMs({ ...identity, startTime: 'another' })).toBe(0)
  } finally {
    child.kill('SIGKILL')
  }
})
