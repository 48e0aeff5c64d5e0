/** The main job, as its users run it: examples/moshi from a config to a VM that answers, and what follows. One story, in order. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../src/base/wait.ts'
import { createWorkplace } from './support/kiln.ts'
import type { Workplace } from './support/kiln.ts'

const execute = promisify(execFile)
const python = '/usr/bin/python3'

let place: Workplace
// oxlint-disable-next-line typescript/no-explicit-any -- the JSON of the first run
let first: any

beforeAll(async () => {
  place = await createWorkplace()
})
afterAll(() => place.remove())

async function get(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) })
  expect(response.status, url).toBe(200)
  return response.text()
}

async function google(method: string, path: string, body?: object): Promise<Response> {
  const { url } = (await place.kiln(['cloud', 'status', '--json'])).json
  const token = (await place.kiln(['cloud', 'token'])).stdout.trim()
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return fetch(`${url}/${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
}

describe('from a Python project to a VM that answers', () => {
  test('kiln up makes everything, and the server is the wheel that was published', async () => {
    const result = await place.kiln(['up', '--yes', '--json'])
    expect(result.stderr + result.stdout).toContain('boot test passed')
    expect(result.exitCode, result.stderr).toBe(0)
    first = result.json
    expect(first).toMatchObject({ package: 'moshi-server', image: expect.stringMatching(/^moshi-srv-[0-9a-f]{16}$/), imageDigest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) })
    expect(first.changes).toBeGreaterThan(20)
    await get(`${first.url}/healthz`)
    expect(await get(`${first.url}/version`)).toContain(first.version)
  })

  test('again: nothing to change', async () => {
    const result = await place.kiln(['up', '--yes', '--json'])
    expect(result.exitCode, result.stderr).toBe(0)
    expect(result.json).toMatchObject({ changes: 0, url: first.url, imageDigest: first.imageDigest })
  })

  test('publish, bake and dev find their part done', async () => {
    expect((await place.kiln(['publish', '--yes', '--json'])).json).toMatchObject({ package: 'moshi-server', version: first.version, published: false })
    expect((await place.kiln(['bake', '--yes', '--json'])).json.images).toEqual([
      expect.objectContaining({ family: 'python3', cached: true }),
      expect.objectContaining({ family: 'moshi-srv', cached: true, digest: first.imageDigest }),
    ])
    expect((await place.kiln(['dev', '--yes', '--json'])).json).toMatchObject({ vm: 'moshi-dev', url: first.url, changes: 0 })
  })

  test('two at once: one works, the other says who holds the lease', async () => {
    // With nothing to change the lease is held for half a second, so that two may miss each other.
    for (let round = 0, met = 0; met === 0; round += 1) {
      expect(round, 'rounds in which they missed each other').toBeLessThan(20)
      const results = await Promise.all([place.kiln(['up', '--yes', '--json']), place.kiln(['up', '--yes', '--json'])])
      const refused = results.filter((result) => result.exitCode !== 0)
      met = refused.length
      expect(met, refused.map((result) => result.stderr).join('\n')).toBeLessThan(2)
      for (const { json } of refused) expect(json.error).toMatchObject({ code: 'E_LOCKED', message: expect.stringMatching(/pid \d+|process \d+|\b\d{2,}\b/) })
    }
  })

  test('cloud status and plan tell as data', async () => {
    expect((await place.kiln(['cloud', 'status', '--json'])).json).toMatchObject({
      running: true,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      pid: expect.any(Number),
    })
    const plan = await place.kiln(['plan', '--json'])
    expect(plan.json.nodes.filter((node: { action: string }) => node.action !== 'noop')).toEqual([])
    const status = await place.kiln(['status', '--json'])
    expect(status.json).toMatchObject({ healthy: true, url: first.url })
  })

  test('the state of the server is real', async () => {
    const answer = await fetch(`${first.url}/lessons/japanese/utterances`, {
      method: 'POST',
      body: JSON.stringify({ text: 'moshi moshi', language: 'ja' }),
      headers: { 'content-type': 'application/json' },
    })
    expect(answer.status).toBe(201)
    expect(await get(`${first.url}/lessons/japanese`)).toContain('moshi moshi')
  })

  test('kiln ssh runs a command in the VM, kiln logs and kiln serial show it', async () => {
    const user = await place.kiln(['ssh', '--', 'id', '-un'])
    expect(user.stderr + user.stdout).toContain('kiln')
    expect(user.exitCode).toBe(0)
    const service = await place.kiln(['ssh', '--', 'systemctl', 'show', '-p', 'User', 'moshi-srv'])
    expect(service.stdout).toContain('User=moshi')
    expect((await place.kiln(['serial'])).stdout).toContain('Linux')
    expect((await place.kiln(['logs'])).stdout).toMatch(/moshi|waitress|Serving/i)
  })
})

describe('inside of the VM, with nothing configured', () => {
  const account = 'serviceAccount:moshi-srv-sa@moshi-3.iam.gserviceaccount.com'

  /** Runs Python in the VM and gives what it prints. */
  async function python3(program: string): Promise<string> {
    const result = await place.kiln(['ssh', '--', `echo ${Buffer.from(program).toString('base64')} | base64 -d | python3 -`])
    expect(result.exitCode, result.stderr).toBe(0)
    return result.stdout.trim()
  }

  // What every Google library does: a token from the metadata server, then https to a host of Google.
  const readObject = `
import json, urllib.request, urllib.error
def get(url, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}".encode()
token = json.loads(get("http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token", **{"Metadata-Flavor": "Google"}))["access_token"]
print(get("https://storage.googleapis.com/storage/v1/b/moshi-storage/o/entrypoint.sh?alt=media", Authorization=f"Bearer {token}").decode())
`

  test("Google's hosts resolve and are trusted; the machine's account reads what its roles let it", async () => {
    // Waits when the unit is still at work.
    expect((await place.kiln(['ssh', '--', 'sudo systemctl start kiln-names.service'])).exitCode).toBe(0)
    const refused = await python3(readObject)
    expect(refused).toMatch(/^403 /)
    expect(refused).toContain('storage.objects.get')
    const iam = 'storage.googleapis.com/storage/v1/b/moshi-storage/iam'
    const before = (await (await google('GET', iam)).json()) as { bindings?: object[] }
    const bindings = [...(before.bindings ?? []), { role: 'roles/storage.objectViewer', members: [account] }]
    expect((await google('PUT', iam, { bindings })).status).toBe(200)
    expect(await python3(readObject)).toBe((await readFile(join(place.stack, 'entrypoint.sh'), 'utf8')).trim())
    expect((await google('PUT', iam, { bindings: before.bindings ?? [] })).status).toBe(200)
  })

  test('a key in the metadata of the project lets its user in, as gcloud puts it there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kiln-ssh-'))
    try {
      await execute('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-C', 'ada@desk', '-f', join(folder, 'key')])
      const path = 'compute.googleapis.com/compute/v1/projects/moshi-3'
      const { commonInstanceMetadata: metadata } = (await (await google('GET', path)).json()) as {
        commonInstanceMetadata: { fingerprint: string; items?: { key: string; value: string }[] }
      }
      const known = metadata.items?.find((item) => item.key === 'ssh-keys')?.value ?? ''
      const value = `${known}\nada:${(await readFile(join(folder, 'key.pub'), 'utf8')).trim()}`
      const items = [...(metadata.items ?? []).filter((item) => item.key !== 'ssh-keys'), { key: 'ssh-keys', value }]
      expect((await google('POST', `${path}/setCommonInstanceMetadata`, { fingerprint: metadata.fingerprint, items })).status).toBe(200)
      const address = new URL(first.url).hostname
      const login = await waitFor({ what: 'the login of ada', timeoutMs: 120_000, intervalMs: 500 }, async () => {
        let status = ''
        // Without the right to bind port 22, the pocket cloud forwards it ten thousand higher.
        for (const port of ['22', '10022']) {
          const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'IdentitiesOnly=yes'].flatMap((option) => ['-o', option])
          const result = await execute('ssh', [...options, '-i', join(folder, 'key'), '-p', port, `ada@${address}`, 'id -un; sudo id -un']).catch((error: Error) => error)
          if (!(result instanceof Error)) return { done: true, value: result.stdout }
          status = result.message
        }
        return { done: false, status }
      })
      expect(login).toBe('ada\nroot\n')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('more machines of the same image', () => {
  const zone = 'compute.googleapis.com/compute/v1/projects/moshi-3/zones/us-central1-c'
  // What the machine is to itself, told on its serial port: nothing of it comes from the host.
  const script = `#!/bin/bash
echo "self: hostname $(cat /proc/sys/kernel/hostname)"
echo "self: machine $(cat /etc/machine-id)"
echo "self: boot $(cat /proc/sys/kernel/random/boot_id)"
echo "self: serial $(cat /sys/class/dmi/id/product_serial)"
echo "self: sshkey $(cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub)"
echo "self: random $(od -An -N16 -tx8 /dev/urandom | tr -d ' ')"
echo "self: mac $(cat /sys/class/net/eth0/address)"
echo "self: address $(ip -br -4 addr show eth0 | tr -s ' ' | cut -d' ' -f3)"
echo "self: journal $(ls /run/log/journal | tr '\\n' ' ')"
echo "self: boots $(journalctl --list-boots --no-pager -q | grep -vc 'BOOT ID')"
echo "self: failed $(systemctl --failed --no-legend | wc -l)"
echo "self: time $(date +%s)"
`

  async function operate(method: string, path: string, body?: object): Promise<void> {
    const answer = (await (await google(method, path, body)).json()) as { name: string; error?: object }
    expect(answer.error).toBeUndefined()
    let operation: { status?: string; error?: object } = answer
    while (operation.status !== 'DONE') operation = (await (await google('POST', `${zone}/operations/${answer.name}/wait`)).json()) as typeof operation
    expect(operation.error).toBeUndefined()
  }

  /** Makes a machine and gives its serial port once its script has said all, and its URL. */
  async function make(name: string): Promise<{ serial: string; self: Record<string, string>; url: string; ip: string }> {
    const dev = (await (await google('GET', `${zone}/instances/moshi-dev`)).json()) as { tags: { items: string[] } }
    await operate('POST', `${zone}/instances`, {
      name,
      machineType: 'zones/us-central1-c/machineTypes/e2-small',
      tags: { items: dev.tags.items },
      disks: [{ boot: true, autoDelete: true, initializeParams: { sourceImage: `projects/moshi-3/global/images/${first.image}` } }],
      networkInterfaces: [{ network: 'global/networks/default', accessConfigs: [{ name: 'external', type: 'ONE_TO_ONE_NAT' }] }],
      metadata: { items: [{ key: 'startup-script', value: script }] },
    })
    const serial = await waitFor({ what: `${name} tells about itself`, timeoutMs: 600_000, intervalMs: 500 }, async () => {
      const { contents } = (await (await google('GET', `${zone}/instances/${name}/serialPort`)).json()) as { contents: string }
      return /self: time \d+/.test(contents) ? { done: true, value: contents } : { done: false, status: contents.slice(-600) }
    })
    const { networkInterfaces } = (await (await google('GET', `${zone}/instances/${name}`)).json()) as {
      networkInterfaces: { networkIP: string; accessConfigs: { natIP: string }[] }[]
    }
    const self = Object.fromEntries([...serial.matchAll(/self: (\w+) (\S*)/g)].map((match) => [match[1] ?? '', match[2] ?? '']))
    return { serial, self, ip: networkInterfaces[0]?.networkIP ?? '', url: `http://${networkInterfaces[0]?.accessConfigs[0]?.natIP}:8080` }
  }

  test('go on from one memory snapshot, each with an identity of its own, and serve', async () => {
    // It is made in the background since the first machine began.
    await waitFor({ what: 'the memory snapshot of the image', timeoutMs: 600_000, intervalMs: 500 }, async () => {
      const names = await readdir(join(place.home, 'cloud/warm'))
      return names.some((name) => name.endsWith('.json')) ? { done: true, value: undefined } : { done: false, status: names.join(' ') }
    })
    const twins = [await make('twin-a'), await make('twin-b')]
    for (const [index, { serial, self, url, ip }] of twins.entries()) {
      const name = index === 0 ? 'twin-a' : 'twin-b'
      expect(serial).toContain(`kiln: begins with a memory snapshot of the image ${first.image}`)
      expect(serial).toContain(`kiln: this machine goes on from a snapshot as ${name}`)
      expect(await get(`${url}/version`)).toContain(first.version)
      expect(self).toMatchObject({ hostname: name, address: `${ip}/20`, failed: '0', boots: '1', journal: self['machine'] })
      // The server's own clock: the snapshot's stood still while it was not used.
      const answer = await fetch(`${url}/healthz`)
      expect(Math.abs(Date.parse(answer.headers.get('date') ?? '') - Date.now())).toBeLessThan(15_000)
    }
    for (const fact of ['machine', 'boot', 'serial', 'sshkey', 'random', 'mac', 'address']) {
      expect(twins[0]?.self[fact], fact).toMatch(/.{8}/)
      expect(twins[0]?.self[fact], fact).not.toBe(twins[1]?.self[fact])
    }
    await operate('DELETE', `${zone}/instances/twin-a`)
    await operate('DELETE', `${zone}/instances/twin-b`)
  })
})

describe("Debian's own pip", () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-pip-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  async function pip(token: string | undefined, verb: readonly string[]): Promise<string> {
    const url = new URL(first.indexUrl)
    if (token !== undefined) {
      url.username = 'oauth2accesstoken'
      url.password = token
    }
    const args = ['-m', 'pip', '-vv', '--isolated', '--no-input', '--disable-pip-version-check', ...verb, '--no-cache-dir', '--no-deps', '--index-url', url.href, 'moshi-server']
    try {
      const { stdout, stderr } = await execute(python, args, { env: { PATH: process.env['PATH'] ?? '', HOME: folder } })
      return stdout + stderr
    } catch (error) {
      const failure = error as { stdout: string; stderr: string }
      return `FAILED ${failure.stdout}${failure.stderr}`
    }
  }

  test('downloads and installs with a token', async () => {
    const token = (await place.kiln(['cloud', 'token'])).stdout.trim()
    expect(await pip(token, ['download', '--dest', folder])).not.toContain('FAILED')
    expect((await readdir(folder)).filter((name) => name.endsWith('.whl'))).toEqual([expect.stringMatching(/^moshi_server-.*\.whl$/)])
    expect(await pip(token, ['install', '--target', join(folder, 'target')])).toContain('Successfully installed moshi-server')
    const reader = (await place.kiln(['cloud', 'token', '--as', 'artifact-reader@moshi-3.iam.gserviceaccount.com'])).stdout.trim()
    expect(await pip(reader, ['download', '--dest', join(folder, 'reader')])).not.toContain('FAILED')
  })

  test('gets 401 without a token, and 403 with an account that lacks the role', async () => {
    expect((await fetch(`${first.indexUrl}moshi-server/`)).status).toBe(401)
    expect(await pip(undefined, ['download', '--dest', folder])).toContain('FAILED')
    const other = (await place.kiln(['cloud', 'token', '--as', 'moshi-srv-sa@moshi-3.iam.gserviceaccount.com'])).stdout.trim()
    const refused = await fetch(`${first.indexUrl}moshi-server/`, { headers: { authorization: `Basic ${Buffer.from(`oauth2accesstoken:${other}`).toString('base64')}` } })
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('artifactregistry')
    expect(await pip(other, ['download', '--dest', folder])).toContain('403')
  })
})

describe('a change', () => {
  test('of the source under the same version is refused, and nothing is lost', async () => {
    await edit('server/src/moshi_server/app.py', (text) => `${text}\n# a change\n`)
    const result = await place.kiln(['up', '--yes', '--json'])
    expect(result.exitCode).toBe(1)
    expect(result.json.error.message).toContain('already published with other bytes')
    await get(`${first.url}/healthz`)
  })

  test('of version and route is delivered without rebuilding the base', async () => {
    const version = String(first.version).replace(/\d+$/, (last) => String(Number(last) + 1))
    await edit('server/pyproject.toml', (text) => text.replace(`version = "${first.version}"`, `version = "${version}"`))
    await edit('server/src/moshi_server/app.py', (text) => text.replace('if parts == ["version"]:', 'if parts in (["version"], ["about"]):'))
    const result = await place.kiln(['up', '--yes', '--json'])
    expect(result.exitCode, result.stderr).toBe(0)
    expect(result.stderr).not.toMatch(/(update|replace|create|updated|replaced|created) image\/python3/)
    expect(result.json.version).toBe(version)
    expect(result.json.imageDigest).not.toBe(first.imageDigest)
    expect(await get(`${result.json.url}/about`)).toContain(version)
    expect(await place.instances()).toHaveLength(1)
  })

  test('that makes the server ill fails its boot test: the family and the running VM stay as they were', async () => {
    const before = (await place.kiln(['up', '--yes', '--json'])).json
    const entrypoint = await readFile(join(place.stack, 'entrypoint.sh'), 'utf8')
    await edit('entrypoint.sh', () => '#!/bin/sh\necho "no lesson today"\nexit 1\n')
    await edit('kiln.config.ts', (text) => text.replace("health: { path: '/healthz', port: 8080 }", "health: { path: '/healthz', port: 8080, timeoutSeconds: 100 }"))
    const result = await place.kiln(['up', '--yes', '--json'])
    expect(result.exitCode).toBe(1)
    expect(result.stderr).toContain('did not become healthy within 1 min 40 s')
    expect(result.stderr, 'the serial log is in the evidence').toContain('no lesson today')
    await get(`${before.url}/healthz`)
    await edit('entrypoint.sh', () => entrypoint)
    const after = await place.kiln(['up', '--yes', '--json'])
    expect(after.exitCode, after.stderr).toBe(0)
    expect(after.json).toMatchObject({ image: before.image, url: before.url })
  })

  test('behind our back is seen as drift, and healed', async () => {
    const { url } = (await place.kiln(['cloud', 'status', '--json'])).json
    const token = (await place.kiln(['cloud', 'token'])).stdout.trim()
    const deleted = await fetch(`${url}/storage.googleapis.com/storage/v1/b/moshi-storage/o/entrypoint.sh`, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
    expect(deleted.status).toBe(204)
    const plan = (await place.kiln(['plan', '--json'])).json
    expect(plan.nodes.filter((node: { action: string }) => node.action !== 'noop')).toEqual([
      expect.objectContaining({ address: 'bucket-object/moshi-storage/entrypoint.sh', drifted: true }),
    ])
    expect((await place.kiln(['up', '--yes', '--json'])).json.changes).toBe(1)
  })
})

describe('the image', () => {
  test('is the same bytes when it is baked twice from an emptied cache', async () => {
    const digests: string[] = []
    for (let round = 0; round < 2; round += 1) {
      await rm(join(place.home, 'cache'), { recursive: true, force: true })
      const result = await place.kiln(['bake', 'moshi-srv', '--no-cache', '--yes', '--json'])
      expect(result.exitCode, result.stderr).toBe(0)
      expect(result.json.reproduced).toBe(true)
      digests.push(result.json.digest)
    }
    expect(digests[0]).toMatch(/^sha256:/)
    expect(digests[1]).toBe(digests[0])
  })
})

describe('destroy', () => {
  test('removes everything that up made', async () => {
    const result = await place.kiln(['destroy', '--yes', '--json'])
    expect(result.exitCode, result.stderr).toBe(0)
    expect(await place.machines()).toEqual([])
    expect((await place.kiln(['destroy', '--yes', '--json'])).json.removed).toBe(0)
  })
})

async function edit(name: string, change: (text: string) => string): Promise<void> {
  const path = join(place.stack, name)
  await writeFile(path, change(await readFile(path, 'utf8')))
}
