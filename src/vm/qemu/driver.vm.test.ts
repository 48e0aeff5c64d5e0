/** Real machines: the life-cycle suite, adoption after a kill of whoever started them, network, metadata, accelerator probe. */
import { fork } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../base/wait.ts'
import { kilnHome } from '../../host/home.ts'
import { freePort } from '../../host/ports.ts'
import { endProcess, identifyProcess } from '../../host/process.ts'
import { acceleratorFile, probeAccelerator, rememberedAccelerator } from '../accelerator.ts'
import type { PortForward, Vm, VmSpec } from '../driver.ts'
import { lifecycleSuite, untilSerial } from '../lifecycle-suite.ts'
import { serveMetadata } from '../metadata-server.ts'
import type { MetadataServer, MetadataSource } from '../metadata.ts'
import { guestReady, testGuest } from '../testing/guest.ts'
import type { TestGuest } from '../testing/guest.ts'
import { createQemuDriver } from './driver.ts'

const cache = kilnHome().cache
const root = await mkdtemp(join(tmpdir(), 'kiln-vm-test-'))
const home = kilnHome({ KILN_HOME: join(root, 'home') })
const driver = createQemuDriver({ home })
const started: Vm[] = []
let guest: TestGuest

beforeAll(async () => {
  guest = await testGuest(cache)
})

afterAll(async () => {
  for (const vm of started) await vm.kill()
  await rm(root, { recursive: true, force: true })
  await rm(home.sockets, { recursive: true, force: true })
})

function spec(name: string): VmSpec {
  return {
    name,
    cpus: 2,
    memoryMib: 384,
    disks: [{ path: guest.disk, format: 'raw', deviceName: 'boot-disk', boot: true, discardWrites: true }],
    internalAddress: '10.128.0.7',
    subnetCidr: '10.128.0.0/20',
    macAddress: '42:01:0a:80:00:07',
    forwards: [],
    outbound: true,
  }
}

async function start(folder: string, machine: VmSpec): Promise<Vm> {
  const vm = await driver.start(join(root, folder), machine)
  started.push(vm)
  return vm
}

async function httpForward(): Promise<PortForward> {
  return { protocol: 'tcp', hostAddress: '127.77.0.8', hostPort: await freePort('127.77.0.8'), guestPort: 80 }
}

lifecycleSuite('qemu', async () => {
  await mkdir(join(root, 'suite'))
  guest = await testGuest(cache)
  return {
    driver: () => createQemuDriver({ home }),
    root: join(root, 'suite'),
    spec,
    readyText: guestReady,
    listens: true,
    crash: async (vm) => void process.kill(vm.pid, 'SIGKILL'),
  }
})

describe('the accelerator probe', () => {
  test('boots a kernel, remembers what it found, and asks no second time', async () => {
    const result = await probeAccelerator({ home, kernel: guest.kernel })
    expect(result.attempts.length).toBeGreaterThan(0)
    expect(await rememberedAccelerator(home)).toBe(result.accelerator)
    expect(JSON.parse(await readFile(acceleratorFile(home), 'utf8'))).toEqual(result)
    expect(await probeAccelerator({ home, kernel: '/nonexistent' })).toEqual(result)
  })

  test('a kernel that does not boot is not taken for one that does', async () => {
    const broken = join(root, 'broken-kernel')
    await writeFile(broken, Buffer.alloc(1024 * 1024))
    const failing = probeAccelerator({ home, kernel: broken, force: true, kvmTimeoutMs: 3000, tcgTimeoutMs: 3000 })
    const { accelerator, attempts } = await failing.catch((error: unknown) => ({ accelerator: (error as { code: string }).code, attempts: [] }))
    // Where KVM cannot be opened nothing is booted; else both must fail.
    if (attempts.length === 1) expect(accelerator).toBe('tcg')
    else expect(accelerator).toBe('E_ACCELERATOR')
  })
})

describe('what the guest sees', () => {
  let server: MetadataServer
  const source: MetadataSource = {
    tree: async () => ({ instance: { id: '777', attributes: {} }, project: { projectId: 'moshi-3' } }),
    etag: async () => 'one',
    changed: () => new Promise(() => {}),
    accessToken: async () => undefined,
    identityToken: async () => undefined,
    putGuestAttribute: async () => {},
  }

  beforeAll(async () => {
    server = await serveMetadata(join(home.sockets, 'meta.sock'), source)
  })
  afterAll(() => server.close())

  test('Google as platform, disk names, both networks, metadata, a forward that is added while it runs', async () => {
    const vm = await start('guest', { ...spec('guest-view'), metadataSocket: server.socketPath, hostname: 'guest-view' })
    const { text } = await untilSerial(vm, guestReady)
    expect(text).toMatch(/guest: platform Google\/Google Compute Engine\/GoogleCloud-[0-9A-F]{32}/)
    expect(text).toContain('guest: disk Google PersistentDisk boot-disk')
    expect(text).toContain('guest: lease eth0 10.128.0.7/20 router=10.128.0.1 dns=10.128.15.254 hostname=guest-view')
    expect(text).toContain('guest: lease eth1 169.254.169.10/24 router= dns= ')
    expect(text.match(/guest: route default[^\r\n]*/g)?.map((line) => line.trim())).toEqual(['guest: route default via 10.128.0.1 dev eth0'])
    expect(text.match(/guest: metadata 777 /g)).toHaveLength(5)
    const forward = await httpForward()
    await vm.setForwards([forward])
    const url = `http://${forward.hostAddress}:${forward.hostPort}/`
    expect(await (await fetch(url)).text()).toMatch(/^hello from GoogleCloud-/)
    await vm.setForwards([])
    await expect(fetch(url)).rejects.toThrow('fetch failed')
    await vm.kill()
  })

  test('while no metadata server listens, the guest sees closed connections and not a word of this host', async () => {
    const vm = await start('unserved', { ...spec('unserved'), metadataSocket: join(home.sockets, 'nobody.sock') })
    const { text } = await untilSerial(vm, guestReady)
    expect(text.match(/guest: metadata  /g)).toHaveLength(5)
    expect(text).not.toContain('socat')
    expect(text).not.toContain(home.sockets)
    await vm.kill()
  })

  test('without outbound there is no router, and forwards still work', async () => {
    const forward = await httpForward()
    const vm = await start('closed', { ...spec('closed'), outbound: false, forwards: [forward] })
    const { text } = await untilSerial(vm, guestReady)
    expect(text).toContain('guest: lease eth0 10.128.0.7/20 router= dns= ')
    expect(text).not.toContain('guest: route default')
    expect(await (await fetch(`http://${forward.hostAddress}:${forward.hostPort}/`)).text()).toContain('hello')
    await vm.kill()
  })
})

describe('machines outlive whoever started them', () => {
  test('a machine whose starter was killed is adopted, and can be stopped', async () => {
    const folder = join(root, 'orphan')
    const child = fork(new URL('../testing/start-machine.ts', import.meta.url), [folder, home.root, JSON.stringify(spec('orphan'))])
    await new Promise((resolve) => child.once('message', resolve))
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
    const vm = await driver.open(folder)
    expect(vm).toBeDefined()
    started.push(vm as Vm)
    expect(await vm?.state()).toEqual({ status: 'running' })
    await untilSerial(vm as Vm, guestReady)
    await vm?.stop(60_000)
    expect(await vm?.state()).toMatchObject({ reason: 'guest power-off' })
  })

  test('a starter that was killed before it could note the process leaves no machine that nobody knows', async () => {
    const vm = await start('unnoted', spec('unnoted'))
    await rm(join(vm.folder, 'process.json'))
    const found = await driver.open(vm.folder)
    expect(found?.pid).toBe(vm.pid)
    expect((await driver.start(vm.folder, spec('unnoted'))).pid).toBe(vm.pid)
    await found?.kill()
    expect(await identifyProcess(vm.pid)).toBeUndefined()
  })

  test('two starts at the same moment give one machine', async () => {
    const vms = await Promise.all([start('twice', spec('twice')), createQemuDriver({ home }).start(join(root, 'twice'), spec('twice'))])
    expect(vms[0].pid).toBe(vms[1]?.pid)
    const pids = await qemuPids(join(root, 'twice'))
    expect(pids).toEqual([vms[0].pid])
    await vms[0].kill()
  })

  test('starters killed at arbitrary moments: at most one machine, and the next start has it', async () => {
    const folder = join(root, 'killed')
    for (const delayMs of [0, 10, 20, 30, 40, 50, 60, 80, 110]) {
      const child = fork(new URL('../testing/start-machine.ts', import.meta.url), [folder, home.root, JSON.stringify(spec('killed')), 'announce'])
      await new Promise((resolve) => child.once('message', resolve))
      const exited = new Promise((resolve) => child.once('exit', resolve))
      setTimeout(() => child.kill('SIGKILL'), delayMs)
      await exited
      const vm = await start('killed', spec('killed'))
      await waitFor({ what: `one QEMU after a kill at ${delayMs} ms`, timeoutMs: 10_000 }, async () => {
        const pids = await qemuPids(folder)
        return pids.length === 1 && pids[0] === vm.pid ? { done: true, value: undefined } : { done: false, status: `QEMU processes ${pids.join(', ')}, machine ${vm.pid}` }
      })
      await vm.kill()
      expect(await qemuPids(folder)).toEqual([])
    }
  })

  test('a QEMU that is still too young to have written its pid is found, not doubled', async () => {
    const folder = join(root, 'young')
    const first = await start('young', spec('young'))
    // As a starter leaves it that dies right after its spawn: no process.json, and a pid file without a pid in it (but locked).
    await rm(join(folder, 'process.json'))
    await writeFile(join(folder, 'qemu.pid'), '')
    setTimeout(() => void writeFile(join(folder, 'qemu.pid'), `${first.pid}\n`), 30)
    const second = await start('young', spec('young'))
    expect(second.pid).toBe(first.pid)
    expect(await qemuPids(folder)).toEqual([first.pid])
    await expect(start('young', { ...spec('young'), memoryMib: 400 })).rejects.toMatchObject({ code: 'E_VM', message: expect.stringContaining('other settings') })
    await second.kill()
  })

  test('a pid that was given to another program is not touched', async () => {
    const vm = await start('reused', spec('reused'))
    await vm.kill()
    await rm(join(vm.folder, 'process.json'))
    await writeFile(join(vm.folder, 'qemu.pid'), `${process.pid}\n`)
    const found = await driver.open(vm.folder)
    expect(await found?.state()).toMatchObject({ status: 'stopped' })
    await found?.kill()
  })

  test('a disk that is missing is named', async () => {
    const machine = spec('no-disk')
    await expect(
      driver.start(join(root, 'no-disk'), { ...machine, disks: [{ ...(machine.disks[0] as VmSpec['disks'][0]), path: '/nonexistent/disk.raw' }] }),
    ).rejects.toMatchObject({ code: 'E_VM', message: expect.stringContaining('/nonexistent/disk.raw') })
  })

  test('QEMU that is stuck is ended all the same', async () => {
    const vm = await start('stuck', spec('stuck'))
    process.kill(vm.pid, 'SIGSTOP')
    const identity = await identifyProcess(vm.pid)
    await endProcess(identity ?? { pid: 0, startTime: '' }, 100)
    expect(await vm.state()).toMatchObject({ status: 'stopped', clean: false })
  })
})

async function qemuPids(folder: string): Promise<number[]> {
  const pids: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (words[0]?.endsWith('qemu-system-x86_64') && words.includes(join(folder, 'qemu.pid')) && (await identifyProcess(Number(name))) !== undefined) pids.push(Number(name))
  }
  return pids
}
