/** The worker process with deliveries that take no time. */
import { workerMain } from '../worker.ts'
import { fakeDeliver } from './deliver.ts'

await workerMain(fakeDeliver)
