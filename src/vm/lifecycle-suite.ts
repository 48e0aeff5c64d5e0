/** The life of a machine, as every driver must play it. Runs over `fake` in the unit tests and over `qemu` in the VM tests. */
import { connect, createServer } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { waitFor } from '../base/wait.ts'
import { exists } from '../host/files.ts'
import { freePort } from '../host/ports.ts'
import type { PortForward, Vm, VmDriver, VmSpec } from './driver.ts'

export interface LifecycleSubject {
  /** A new instance, as a new process would have it. */
  driver(): VmDriver
  /** An empty folder for this run of the suite. */
  readonly root: string
  /** A machine that boots and writes `readyText` to its serial port, and reacts to its power button. */
  spec(name: string): VmSpec
  readonly readyText: string
  /** True when forwards are real ports. */
  readonly listens: boolean
  /** Ends the machine in the roughest way there is, from outside of the driver. */
  crash(vm: Vm): Promise<void>
}

/** Declares the tests. `prepare` is called once, before the first test. */
export function lifecycleSuite(name: string, prepare: () => Promise<LifecycleSubject>): void {
  describe(`life cycle of a machine: ${name}`, () => {
    let prepared: Promise<LifecycleSubject> | undefined
    const subject = (): Promise<LifecycleSubject> => (prepared ??= prepare())
    const started: Vm[] = []

    async function startVm(it: LifecycleSubject, folder: string, spec: VmSpec): Promise<Vm> {
      const vm = await it.driver().start(join(it.root, folder), spec)
      started.push(vm)
      return vm
    }

    afterAll(async () => {
      for (const vm of started) await vm.kill()
    })

    test('a folder without a machine opens as nothing', async () => {
      const it = await subject()
      expect(await it.driver().open(join(it.root, 'nothing'))).toBeUndefined()
    })

    test('starts once, is adopted, changes its forwards, stops by its power button, starts again', async () => {
      const it = await subject()
      const spec = { ...it.spec('life-a'), forwards: [await forward(2222)] }
      const vm = await startVm(it, 'a', spec)
      expect(await vm.state()).toEqual({ status: 'running' })
      expect(vm.spec).toEqual(spec)

      const same = await it.driver().start(join(it.root, 'a'), spec)
      expect(same.pid).toBe(vm.pid)
      await expect(it.driver().start(join(it.root, 'a'), { ...spec, memoryMib: spec.memoryMib + 64 })).rejects.toMatchObject({ code: 'E_VM' })

      const adopted = await it.driver().open(join(it.root, 'a'))
      expect(adopted?.pid).toBe(vm.pid)
      expect(adopted?.spec).toEqual(spec)

      const second = await forward(8080)
      await adopted?.setForwards([second])
      expect((await it.driver().open(join(it.root, 'a')))?.spec.forwards).toEqual([second])
      if (it.listens) {
        expect(await connects(second)).toBe(true)
        expect(await connects(spec.forwards[0] as PortForward)).toBe(false)
      }

      await untilSerial(vm, it.readyText)
      await vm.stop(60_000)
      const state = await vm.state()
      expect(state).toEqual({ status: 'stopped', reason: 'guest power-off', clean: true })
      expect(await adopted?.waitStopped()).toEqual(state)
      expect(await (await it.driver().open(join(it.root, 'a')))?.state()).toEqual(state)
      await vm.stop(1000)
      await vm.kill()
      await expect(vm.reset()).rejects.toMatchObject({ code: 'E_VM' })
      await expect(vm.setForwards([])).rejects.toMatchObject({ code: 'E_VM' })

      const logged = (await vm.readSerial(0)).nextOffset
      const again = await startVm(it, 'a', spec)
      expect(again.pid).not.toBe(vm.pid)
      await waitFor({ what: 'more serial text', timeoutMs: 60_000, intervalMs: 50 }, async () => {
        const chunk = await again.readSerial(logged)
        return chunk.text === '' ? { done: false, status: 'nothing' } : { done: true, value: undefined }
      })
      await again.kill()
      expect(await again.state()).toMatchObject({ status: 'stopped', clean: false })
    })

    test('a reset boots again without a new process', async () => {
      const it = await subject()
      const vm = await startVm(it, 'b', it.spec('life-b'))
      const { nextOffset } = await untilSerial(vm, it.readyText)
      await vm.reset()
      await waitFor({ what: 'serial text after the reset', timeoutMs: 60_000, intervalMs: 50 }, async () => {
        const chunk = await vm.readSerial(nextOffset)
        return chunk.text === '' ? { done: false, status: 'nothing' } : { done: true, value: undefined }
      })
      expect(await vm.state()).toEqual({ status: 'running' })
      await vm.kill()
    })

    test('a death is noticed, with a reason, also by those who did not start it', async () => {
      const it = await subject()
      const vm = await startVm(it, 'c', it.spec('life-c'))
      const watcher = await it.driver().open(join(it.root, 'c'))
      const ended = watcher?.waitStopped()
      await it.crash(vm)
      expect(await ended).toMatchObject({ status: 'stopped', clean: false, reason: expect.stringContaining('kill') })
      const again = await startVm(it, 'c', it.spec('life-c'))
      expect(await again.state()).toEqual({ status: 'running' })
      await again.kill()
    })

    test('waiting for the end can be cancelled', async () => {
      const it = await subject()
      const vm = await startVm(it, 'd', it.spec('life-d'))
      const abort = new AbortController()
      const waiting = vm.waitStopped(abort.signal)
      abort.abort(new Error('enough'))
      await expect(waiting).rejects.toThrow('enough')
      await vm.kill()
    })

    test('a port in use is named, and the folder can be started afterwards', async () => {
      const it = await subject()
      const blocked = await forward(80)
      const blocker = createServer()
      await new Promise<void>((resolve) => blocker.listen(blocked.hostPort, blocked.hostAddress, resolve))
      try {
        await expect(startVm(it, 'e', { ...it.spec('life-e'), forwards: [blocked] })).rejects.toMatchObject({
          code: 'E_PORT_TAKEN',
          message: expect.stringContaining(`${blocked.hostAddress}:${blocked.hostPort}`),
        })
        const vm = await startVm(it, 'e', it.spec('life-e'))
        await expect(vm.setForwards([blocked])).rejects.toMatchObject({ code: 'E_PORT_TAKEN' })
        expect((await it.driver().open(join(it.root, 'e')))?.spec.forwards).toEqual([])
        await vm.kill()
      } finally {
        await new Promise((resolve) => blocker.close(resolve))
      }
    })

    test('machines go on from one snapshot, each as itself; one that cannot leaves nothing that runs', async () => {
      const it = await subject()
      const { snapshots } = it.driver()
      if (snapshots === undefined) throw new Error('this driver makes no snapshots')
      const files = { memory: join(it.root, 'snapshot.memory'), state: join(it.root, 'snapshot.state') }
      const named = (name: string, number: number): VmSpec => ({
        ...it.spec(name),
        hostname: name,
        internalAddress: `10.128.0.${number}`,
        macAddress: `42:01:0a:80:00:${number.toString(16)}`,
        metadataSocket: '/nonexistent/metadata',
      })
      await snapshots.make(join(it.root, 'seed'), named('life-seed', 20), files, { timeoutMs: 240_000 })
      expect(await snapshots.fingerprint()).toBe(await snapshots.fingerprint())
      expect((await (await it.driver().open(join(it.root, 'seed')))?.state())?.status).not.toBe('running')

      for (const [number, name] of [
        [21, 'life-first'],
        [22, 'life-second'],
      ] as const) {
        const spec = { ...named(name, number), forwards: [await forward(8080)] }
        const vm = await it.driver().start(join(it.root, name), spec, undefined, { snapshot: files, note: `kiln: a note for ${name}` })
        started.push(vm)
        expect(await vm.state()).toEqual({ status: 'running' })
        const { text } = await vm.readSerial(0)
        expect(text).toContain(`kiln: a note for ${name}`)
        expect(text).toContain(`goes on from a snapshot as ${name}`)
        expect((await it.driver().start(join(it.root, name), spec)).pid).toBe(vm.pid)
        await vm.setForwards([])
      }

      await writeFile(files.state, 'not the state of any machine')
      const third = named('life-third', 23)
      await expect(it.driver().start(join(it.root, 'third'), third, undefined, { snapshot: files })).rejects.toMatchObject({ code: 'E_VM' })
      expect((await (await it.driver().open(join(it.root, 'third')))?.state())?.status).not.toBe('running')
      const booted = await startVm(it, 'third', third)
      await untilSerial(booted, it.readyText)
      for (const vm of started) await vm.kill()
    })

    test('a snapshot that is given up leaves neither files nor a machine', async () => {
      const it = await subject()
      const files = { memory: join(it.root, 'given-up.memory'), state: join(it.root, 'given-up.state') }
      const abort = new AbortController()
      const making = it.driver().snapshots?.make(join(it.root, 'given-up'), it.spec('life-given-up'), files, { timeoutMs: 240_000, signal: abort.signal })
      await waitFor({ what: 'the begin of the snapshot', timeoutMs: 60_000, intervalMs: 20 }, async () =>
        (await exists(files.memory)) ? { done: true, value: undefined } : { done: false, status: 'no file' },
      )
      abort.abort(new Error('enough'))
      // The fake's is already whole by then.
      await making?.catch((error: unknown) => expect(String(error)).toContain('enough'))
      if (it.listens) expect([await exists(files.memory), await exists(files.state)]).toEqual([false, false])
      expect((await (await it.driver().open(join(it.root, 'given-up')))?.state())?.status).not.toBe('running')
    })

    test('refuses a forward from an address that other machines reach', async () => {
      const it = await subject()
      const open: PortForward = { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, guestPort: 80 }
      await expect(startVm(it, 'f', { ...it.spec('life-f'), forwards: [open] })).rejects.toMatchObject({ code: 'E_VM' })
    })
  })
}

const testAddress = '127.77.0.9'

async function forward(guestPort: number): Promise<PortForward> {
  return { protocol: 'tcp', hostAddress: testAddress, hostPort: await freePort(testAddress), guestPort }
}

/** Waits until the machine's serial log contains the text. */
export async function untilSerial(vm: Vm, text: string, timeoutMs = 240_000): Promise<{ text: string; nextOffset: number }> {
  return waitFor({ what: `"${text}" on the serial port of ${vm.spec.name}`, timeoutMs, intervalMs: 50 }, async () => {
    const state = await vm.state()
    const chunk = await vm.readSerial(0)
    if (chunk.text.includes(text)) return { done: true, value: chunk }
    if (state.status === 'stopped') throw new Error(`the machine ended (${state.reason}) before "${text}":\n${chunk.text.slice(-2000)}`)
    return { done: false, status: chunk.text.slice(-400) }
  })
}

async function connects(target: PortForward): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: target.hostAddress, port: target.hostPort })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
