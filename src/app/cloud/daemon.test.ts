/** The moment in which a daemon begins: what runs on is adopted, and only then anything is answered. */
import { mkdir, mkdtemp } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { waitFor } from '../../base/wait.ts'
import { removeAll } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import { accepts, freePort } from '../../host/ports.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { cloudStatus } from './control.ts'
import { serveCloud } from './daemon.ts'

/** The first line that a proxy answers to a CONNECT. */
async function connectThrough(port: number, target: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.once('data', (data) => resolve(data.toString().split('\r\n')[0] ?? ''))
      socket.once('error', reject)
    })
  } finally {
    socket.destroy()
  }
}

test('while machines are adopted the port takes requests, and answers none; nobody is told of the daemon yet', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-daemon-'))
  const home = kilnHome({ KILN_HOME: folder })
  // what a killed daemon left: a machine's folder, at which the next one looks before it serves
  await mkdir(join(home.cloud, 'vms', 'left'), { recursive: true })
  const events: string[] = []
  let letGo = (): void => {}
  const held = new Promise<void>((resolve) => (letGo = resolve))
  const driver = createFakeDriver()
  const slow = {
    ...driver,
    async open(path: string) {
      events.push('adopting')
      await held
      events.push('adopted')
      return driver.open(path)
    },
  }
  const port = await freePort()
  const serving = serveCloud({ home, port, log: pino({ level: 'silent' }), driver: slow, offline: true })
  try {
    await waitFor({ what: 'adopting has begun and the port is open', timeoutMs: 30_000, intervalMs: 20 }, async () =>
      events.includes('adopting') && (await accepts(port)) ? { done: true, value: undefined } : { done: false, status: events.join() },
    )
    const early = ['kiln/healthz', 'compute.googleapis.com/compute/v1/projects/p/zones'].map(async (path) => {
      const { status } = await fetch(`http://127.0.0.1:${port}/${path}`)
      events.push('answered')
      return status
    })
    // names of the cloud's own zones are not known yet, so that no name may be refused as foreign
    const named = connectThrough(port, 'example.com:80').finally(() => events.push('answered'))
    // these turns of the same port would have answered the ones before
    for (let turns = 0; turns < 3; turns += 1) expect(await connectThrough(port, 'storage.googleapis.com:443')).toContain('200')
    expect(events).toEqual(['adopting'])
    expect(await cloudStatus(home)).toMatchObject({ running: false })
    letGo()
    await serving
    expect(await Promise.all(early)).toEqual([200, 401])
    expect(await named).toContain('403')
    expect(events).toEqual(['adopting', 'adopted', 'answered', 'answered', 'answered'])
  } finally {
    letGo()
    await (await serving).stop()
    await removeAll(folder)
  }
})
