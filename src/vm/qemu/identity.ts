/**
 * How a guest that goes on from a memory snapshot is told who it is: lines on a virtio-serial port, before its network comes up. The other end is
 * the image's (`src/image/recipe/warm-start.ts`); the guest says on its serial port when it has become somebody else, where that can still be read
 * by a process that was not there. Telling it twice does no harm.
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { KilnError, describeError } from '../../base/errors.ts'
import { SECOND_MS } from '../../base/units.ts'
import { sleep, waitFor } from '../../base/wait.ts'
import type { VmSpec } from '../driver.ts'
import { seedReady } from '../warm-protocol.ts'
import { metadataMac } from './network.ts'

/** QEMU's name for the memory of machines that take part. */
export const memoryId = 'ram0'

/** Address of card 1 of every machine that a snapshot is made of. Locally administered, and in no subnet. */
export const seedMac = '42:01:00:00:00:01'

/** What the guest is told. `nowMs`: the host's clock; `entropy`: bytes that nobody else gets. */
export function identityLines(spec: VmSpec, serial: string, nowMs: number, entropy: Uint8Array): string {
  return [
    `time ${(nowMs / SECOND_MS).toFixed(3)}`,
    `entropy ${Buffer.from(entropy).toString('hex')}`,
    `hostname ${spec.hostname ?? 'localhost'}`,
    `serial ${serial}`,
    `card ${seedMac} ${spec.macAddress}`,
    ...(spec.metadataSocket === undefined ? [] : [`card ${metadataMac(seedMac)} ${metadataMac(spec.macAddress)}`]),
    'go',
    '',
  ].join('\n')
}

/** Tells the guest who it is and waits until `isTaken`. @throws KilnError E_VM after `timeoutMs`. */
export async function tellIdentity(
  socketPath: string,
  spec: VmSpec,
  serial: string,
  isTaken: () => Promise<boolean>,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const socket = await dial(socketPath)
  try {
    socket.resume()
    // One that was told before takes the first of both: what nobody reads is dropped with the connection.
    socket.write(identityLines(spec, serial, Date.now(), randomBytes(64)))
    const wait = { what: `${spec.name} to take its identity`, timeoutMs: options.timeoutMs, intervalMs: 20, code: 'E_VM' as const }
    await waitFor(options.signal === undefined ? wait : { ...wait, signal: options.signal }, async () =>
      (await isTaken()) ? { done: true, value: undefined } : { done: false, status: 'it has not' },
    )
  } finally {
    socket.destroy()
  }
}

/** Waits until the guest of a seed says that it waits to be told who it is. `check` may throw, as when the machine ended. @throws KilnError E_VM */
export async function untilSeedReady(
  socketPath: string,
  check: () => Promise<void>,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const socket = await dial(socketPath)
  let text = ''
  let closed: unknown
  socket.setEncoding('utf8')
  socket.on('data', (part: string) => (text = (text + part).slice(-200)))
  socket.on('close', () => (closed ??= 'QEMU closed the port'))
  socket.on('error', (error) => (closed ??= describeError(error)))
  const deadline = performance.now() + options.timeoutMs
  try {
    for (;;) {
      options.signal?.throwIfAborted()
      if (text.split(/\r?\n/).slice(0, -1).includes(seedReady)) return
      await check()
      if (closed !== undefined) throw new KilnError('E_VM', `the machine for a snapshot ended: ${String(closed)}`)
      if (performance.now() >= deadline)
        throw new KilnError('E_VM', `the guest did not get ready for a snapshot within ${Math.round(options.timeoutMs / SECOND_MS)} s`, {
          hint: 'images that know nothing of snapshots always boot',
          detail: text === '' ? 'it said nothing on its port' : `it said: ${text}`,
        })
      await sleep(50, options.signal)
    }
  } finally {
    socket.destroy()
  }
}

async function dial(path: string): Promise<Socket> {
  const socket = connect(path)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.on('error', () => {})
  return socket
}
