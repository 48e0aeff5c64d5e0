import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { EngineEvent, Plan } from '../../app/plan-types.ts'
import { createProgress } from './progress.ts'

const plan: Plan = { stack: 'moshi-3', nodes: [] }

/** What is written for these events where stderr is no terminal. */
async function linesFor(events: readonly EngineEvent[]): Promise<string> {
  const stream = new PassThrough()
  const renderer = createProgress(plan, stream as unknown as NodeJS.WriteStream)
  for (const event of events) renderer.onEvent(event)
  renderer.note('started the pocket cloud')
  await renderer.end()
  return String(stream.read())
}

test('a line when something starts, tells something or ends; nothing for what stays as it is', async () => {
  const text = await linesFor([
    { type: 'start', address: 'project/moshi-3', action: 'noop' },
    { type: 'done', address: 'project/moshi-3', action: 'noop', durationMs: 3 },
    { type: 'start', address: 'image/moshi-srv', action: 'update' },
    { type: 'note', address: 'image/moshi-srv', text: 'installing 112 Debian packages' },
    { type: 'done', address: 'image/moshi-srv', action: 'update', durationMs: 119_700 },
    { type: 'start', address: 'service/storage.googleapis.com', action: 'create' },
    { type: 'done', address: 'service/storage.googleapis.com', action: 'noop', durationMs: 3 },
    { type: 'start', address: 'secret/old', action: 'delete' },
    { type: 'failed', address: 'secret/old', action: 'delete', error: new Error('no') },
    { type: 'skipped', address: 'project/old', because: 'secret/old' },
    { type: 'done', address: 'python-package/gone', action: 'forget', durationMs: 12 },
  ])
  expect(text).toBe(`  ... update image/moshi-srv
      image/moshi-srv: installing 112 Debian packages
  ok  image/moshi-srv updated (2 min 0 s)
  ... create service/storage.googleapis.com
  ok  service/storage.googleapis.com is as it should be already
  ... delete secret/old
  ERR secret/old could not be deleted
  --- project/old skipped: secret/old failed
  ok  python-package/gone forgotten (12 ms)
      started the pocket cloud
`)
})
