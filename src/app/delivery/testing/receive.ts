/** The hook, with workers whose deliveries take no time. */
import { fileURLToPath } from 'node:url'
import { receiveMain } from '../receive.ts'

await receiveMain(fileURLToPath(new URL('worker.ts', import.meta.url)))
