/**
 * A deploy as a process of its own, which ends itself without a word at one of its calls: for tests of what a killed deployer leaves.
 * `KILN_HOME=FOLDER node fake-deployer.ts STACK IMAGE VERSION CALL before|after` prints `live` when it was not killed.
 */
import { loadStack } from '../../config/load.ts'
import { createClients } from '../../client/clients.ts'
import { acquireLease } from '../../engine/lease.ts'
import { kilnHome } from '../../host/home.ts'
import { cloudStatus, ownerToken } from '../cloud/control.ts'
import { openReleases, requireServing, shapeOf, strategyOf } from '../delivery/context.ts'

const [dir = '', image = '', version = '', killAt = '', moment = ''] = process.argv.slice(2)
const home = kilnHome()
const { config } = await loadStack(dir)
const serving = requireServing(config)
const { url: rootUrl = '' } = await cloudStatus(home)
const token = (await ownerToken(home, rootUrl)).accessToken
let calls = 0

const counting: typeof fetch = async (input, init) => {
  calls += 1
  const isLast = calls === Number(killAt)
  if (isLast && moment === 'before') process.kill(process.pid, 'SIGKILL')
  const response = await fetch(input, init)
  if (isLast) process.kill(process.pid, 'SIGKILL')
  return response
}

await acquireLease(home, config.project.id, 'deploy')
const releases = openReleases({
  home,
  serving,
  clients: createClients({ rootUrl, accessToken: async () => token, fetch: counting }),
  signal: new AbortController().signal,
  note: () => {},
})
await releases.deploy({ image, shape: shapeOf(serving), strategy: strategyOf(serving, {}), package: { name: 'app', version }, who: 'ann', why: 'test' })
process.stdout.write('live\n')
process.exit(0)
