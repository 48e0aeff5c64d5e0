import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { lifecycleSuite } from '../lifecycle-suite.ts'
import type { VmSpec } from '../driver.ts'
import { createFakeDriver } from './driver.ts'

const root = await mkdtemp(join(tmpdir(), 'kiln-fake-vm-'))
afterAll(() => rm(root, { recursive: true, force: true }))

function spec(name: string): VmSpec {
  return { name, cpus: 1, memoryMib: 256, disks: [], internalAddress: '10.128.0.2', subnetCidr: '10.128.0.0/20', macAddress: '42:01:0a:80:00:02', forwards: [], outbound: true }
}

lifecycleSuite('fake', async () => ({
  driver: createFakeDriver,
  root,
  spec,
  readyText: 'started',
  listens: false,
  crash: (vm) => createFakeDriver().end(vm.folder, 'killed (SIGKILL)', false),
}))

test('the test decides what the guest does', async () => {
  const driver = createFakeDriver()
  const folder = join(root, 'controls')
  driver.failNextStart(new Error('no memory'))
  await expect(driver.start(folder, spec('x'))).rejects.toThrow('no memory')
  const vm = await driver.start(folder, spec('x'))
  await driver.writeSerial(folder, 'login: \u20ac')
  const chunk = await vm.readSerial(-10)
  expect(chunk.text).toBe('login: \u20ac')
  expect(chunk.nextOffset - chunk.startOffset).toBe(10)
  driver.ignorePowerButton(true)
  await vm.stop(10)
  expect(await vm.state()).toEqual({ status: 'stopped', reason: 'ended by Kiln', clean: false })
  expect(driver.calls).toEqual(['start x', 'start x', 'stop x'])
})
