/** Waiting until the server of a VM answers, and saying why when it does not. */
import { KilnError } from '../../base/errors.ts'
import { waitFor } from '../../base/wait.ts'
import type { Clients } from '../../client/clients.ts'
import { call } from '../../client/errors.ts'
import { tailLines } from '../../host/exec.ts'
import type { Dev } from '../../config/schema.ts'
import type { StackSession } from './session.ts'

/**
 * Waits for the health path of the dev VM. Returns the server's URL.
 * @throws KilnError E_NOT_HEALTHY at the deadline, E_VM when the VM died; both with the end of the serial log
 */
export async function waitHealthy(session: StackSession, dev: Dev, address: string, note: (text: string) => void): Promise<string | undefined> {
  const image = session.stack.config.images[dev.image]
  if (image === undefined || !('health' in image)) return undefined
  const url = `http://${address}:${image.health.port}`
  const target = `${url}${image.health.path}`
  let told = false
  try {
    await waitFor(
      { what: `${target} answers 200`, timeoutMs: image.health.timeoutSeconds * 1000, intervalMs: 300, signal: session.engine.signal, code: 'E_NOT_HEALTHY' },
      async () => {
        const answer = await ask(target)
        if (answer === '200') return { done: true, value: undefined }
        if (!told) note(`waiting for ${target}`)
        told = true
        await requireAlive(session, dev.name)
        return { done: false, status: answer }
      },
    )
  } catch (error) {
    if (!(error instanceof KilnError) || error.code === 'E_CANCELLED') throw error
    const serial = await serialTail(session.clients, session.name, session.stack.config.location.zone, dev.name)
    throw new KilnError(error.code, error.message, { hint: `look inside: kiln logs ${dev.name}, kiln ssh ${dev.name}`, detail: serial, cause: error })
  }
  return url
}

async function ask(target: string): Promise<string> {
  try {
    const response = await fetch(target, { signal: AbortSignal.timeout(5000) })
    const body = await response.text()
    return response.status === 200 ? '200' : `${response.status} ${body.slice(0, 200)}`
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  }
}

async function requireAlive(session: StackSession, name: string): Promise<void> {
  const compute = await session.clients.compute()
  const instance = await call(compute.instances.get({ project: session.name, zone: session.stack.config.location.zone, instance: name }))
  if (instance.status !== 'TERMINATED') return
  throw new KilnError('E_VM', `the VM ${name} ended: ${instance.statusMessage ?? 'no reason is known'}`, { hint: 'the serial log shows its last words; `kiln up` starts it again' })
}

/** The last lines of a VM's serial port 1, or why they cannot be had. */
export async function serialTail(clients: Clients, project: string, zone: string, instance: string, lines = 40): Promise<string> {
  try {
    const compute = await clients.compute()
    const output = await call(compute.instances.getSerialPortOutput({ project, zone, instance }))
    return tailLines(output.contents ?? '', lines)
  } catch (error) {
    return `no serial output: ${error instanceof Error ? error.message : String(error)}`
  }
}
