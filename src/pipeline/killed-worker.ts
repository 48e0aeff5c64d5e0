/** A worker in a process of its own that kills itself in a stage: what `kill -9` leaves. Run by the test of kills: FOLDER STAGE begin|end. */
import { identifyProcess } from '../host/process.ts'
import { openIn, tracedStages, workerOptions } from './testing.ts'
import { runQueue } from './worker.ts'

const [folder = '', stage = '', when = ''] = process.argv.slice(2)
const pipelines = openIn(folder)
const self = await identifyProcess(process.pid)
if (self === undefined) throw new Error('this process is not in /proc')
await runQueue(
  workerOptions(folder, pipelines, {
    identity: self,
    stages: tracedStages(folder, (name, at) => {
      if (name === stage && at === when) process.kill(process.pid, 'SIGKILL')
    }),
  }),
)
