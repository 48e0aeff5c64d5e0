import assert from 'node:assert/strict'
import { Logging } from '@google-cloud/logging'

const logging = new Logging({ projectId: process.env.PROJECT })
const log = logging.log('server')
const resource = { type: 'global' }
await log.write([log.entry({ resource, severity: 'INFO', labels: { part: 'web' } }, 'started'), log.entry({ resource, severity: 'ERROR' }, { message: 'broke', attempt: 2 })])
const [entries] = await logging.getEntries({ filter: `logName="projects/${process.env.PROJECT}/logs/server"`, orderBy: 'timestamp asc' })
// The library adds an entry about itself.
const own = entries.filter((entry) => entry.data['logging.googleapis.com/diagnostic'] === undefined)
assert.deepEqual(
  own.map((entry) => entry.data),
  ['started', { message: 'broke', attempt: 2 }],
)
assert.deepEqual(own[0].metadata.labels, { part: 'web' })
const [errors] = await logging.getEntries({ filter: 'severity>=ERROR' })
assert.deepEqual(
  errors.map((entry) => entry.data.message),
  ['broke'],
)
assert.deepEqual(
  (await logging.getLogs())[0].map((each) => each.name).filter((name) => name === 'server'),
  ['server'],
)
await log.delete()
assert.deepEqual((await logging.getEntries({ filter: `logName="projects/${process.env.PROJECT}/logs/server"` }))[0], [])
