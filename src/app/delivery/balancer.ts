/** The way in: the load balancer's address, and waiting until the server answers there. */
import { KilnError } from '../../base/errors.ts'
import { waitFor } from '../../base/wait.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent } from '../../client/errors.ts'
import type { Serving } from '../../compile/serving.ts'
import { firstBindablePort } from '../../host/ports.ts'

const HTTP_PORT = 80
/** The pocket cloud listens this much higher where the port is not for everybody. */
const PRIVILEGED_SHIFT = 10_000

/** `http://127.1.2.3`; undefined while there is no forwarding rule. */
export async function balancerUrl(clients: Clients, serving: Serving): Promise<string | undefined> {
  const compute = await clients.compute()
  try {
    const rule = await call(compute.globalForwardingRules.get({ project: serving.projectId, forwardingRule: serving.name }))
    const address = rule.IPAddress ?? ''
    if (address === '') return undefined
    const isShifted = address.startsWith('127.') && (await firstBindablePort()) > HTTP_PORT
    return isShifted ? `http://${address}:${HTTP_PORT + PRIVILEGED_SHIFT}` : `http://${address}`
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** True when the health path answers 200 through the load balancer. */
export async function answersAt(url: string, serving: Serving): Promise<boolean> {
  return (await ask(`${url}${serving.image.health.path}`)) === '200'
}

/** @throws KilnError E_NOT_HEALTHY at the deadline */
export async function waitForBalancer(url: string, serving: Serving, options: { readonly signal: AbortSignal; readonly note: (text: string) => void }): Promise<void> {
  const target = `${url}${serving.image.health.path}`
  let isTold = false
  const wait = { what: `${target} answers 200`, timeoutMs: serving.image.health.timeoutSeconds * 1000, intervalMs: 300, signal: options.signal, code: 'E_NOT_HEALTHY' } as const
  try {
    await waitFor(wait, async () => {
      const status = await ask(target)
      if (status === '200') return { done: true, value: undefined }
      if (!isTold) options.note(`waiting for ${target}`)
      isTold = true
      return { done: false, status }
    })
  } catch (error) {
    if (!(error instanceof KilnError) || error.code !== 'E_NOT_HEALTHY') throw error
    throw new KilnError(error.code, error.message, {
      hint: 'kiln status shows the VMs of the group, kiln serial VM looks inside; kiln rollback brings the release before back',
      cause: error,
    })
  }
}

async function ask(target: string): Promise<string> {
  try {
    const response = await fetch(target, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } })
    const body = await response.text()
    return response.status === 200 ? '200' : `${response.status} ${body.slice(0, 200)}`
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  }
}
