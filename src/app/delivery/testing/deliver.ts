/**
 * Publishing, baking and deploying that take no time and are seen all the same: the "server" is an HTTP server of the test, and its new version is told to
 * it. What a commit has in its stack's folder steers it: `FAIL` names a stage that fails, `DIE` one that kills its worker the first time, `HOLD` one that
 * waits until the file `go` is in the data folder.
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../../../base/errors.ts'
import { waitFor } from '../../../base/wait.ts'
import { readTextIfExists } from '../../../host/files.ts'
import type { VerbOptions } from '../../up.ts'
import type { Deliver } from '../deliver.ts'

async function steer(stage: string, { home, dir, signal }: VerbOptions): Promise<void> {
  const named = async (file: string): Promise<boolean> => (await readTextIfExists(join(dir, file)))?.trim() === stage
  appendFileSync(join(home.root, 'trace'), `${stage}\n`)
  if (await named('FAIL')) throw new KilnError('E_BAKE', `${stage} fails as it was told to`, { hint: 'remove FAIL' })
  const died = join(home.root, `died-in-${stage}`)
  if ((await named('DIE')) && !existsSync(died)) {
    writeFileSync(died, '')
    process.kill(process.pid, 'SIGKILL')
  }
  if (await named('HOLD')) {
    writeFileSync(join(home.root, 'holding'), stage)
    await waitFor({ what: 'go', timeoutMs: 120_000, intervalMs: 20, signal }, async () =>
      existsSync(join(home.root, 'go')) ? { done: true, value: undefined } : { done: false, status: 'no go' },
    )
  }
}

async function versionOf(dir: string): Promise<string> {
  return /version = "(.*)"/.exec(await readFile(join(dir, 'server/pyproject.toml'), 'utf8'))?.[1] ?? ''
}

export const fakeDeliver: Deliver = {
  async publish(options) {
    await steer('publish', options)
    // As the first bake does: what it resolved is in the folder.
    const lock = join(options.dir, 'kiln.lock')
    if (!existsSync(lock)) writeFileSync(lock, `resolved for ${await versionOf(options.dir)}\n`)
    return { package: 'moshi-server', version: await versionOf(options.dir), sha256: 'f'.repeat(64), published: true }
  },
  isPublished: async ({ home }) => !existsSync(join(home.root, 'lost')),
  async bake(options) {
    await steer('bake', options)
    return { images: [{ family: 'moshi-srv', image: `moshi-srv-${await versionOf(options.dir)}`, key: 'k' }] }
  },
  areBaked: async ({ home }) => !existsSync(join(home.root, 'lost')),
  async deploy(options) {
    await steer('deploy', options)
    const url = await readFile(join(options.home.root, 'server-url'), 'utf8')
    await fetch(`${url}/deploy`, {
      method: 'POST',
      body: JSON.stringify({ version: options.version, image: options.image, commit: options.commit, why: options.why }),
      signal: options.signal,
    })
    return { url }
  },
}
