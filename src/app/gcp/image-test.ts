/**
 * The test of an image that only the project has: a VM of it, for as long as the test takes. It asks its own server and says on its serial port what
 * the server answered, so that no port has to be open to anybody.
 */
import { KilnError, describeError } from '../../base/errors.ts'
import { silentProgress } from '../../base/progress.ts'
import { MINUTE_MS, SECOND_MS, formatDuration } from '../../base/units.ts'
import { waitFor } from '../../base/wait.ts'
import type { Clients } from '../../client/clients.ts'
import { call, orNothing } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import { instanceKind } from '../../resources/instance/provider.ts'
import { shellWord } from '../../synth/images/scripts.ts'
import { serialTail } from '../stack/health.ts'

export interface ImageTest {
  readonly clients: Clients
  readonly signal: AbortSignal
  readonly note: (text: string) => void
  readonly project: string
  readonly zone: string
  /** Its name in the project. */
  readonly image: string
  readonly family: string
  /** Undefined: an image without a server, which is well when it boots and runs the startup script. */
  readonly health?: { readonly path: string; readonly port: number; readonly timeoutSeconds: number }
}

/** What the machine says on its serial port, once. */
const WORD = 'kiln-image-test'
/** From the machine's start until its startup script runs; under emulation on a busy host it takes minutes. */
const BOOT_MS = 10 * MINUTE_MS

/**
 * Boots the image in the project and waits until its server is well. The VM is gone afterwards, whatever happens.
 * @throws KilnError E_BOOT_TEST with the last answer and the end of the serial log
 */
export async function testImage(options: ImageTest): Promise<void> {
  const name = testVmName(options.family)
  // one that a killed run left
  await removeTestVm(options)
  options.note(`booting ${options.image} in the VM ${name} for its test`)
  const startedAt = performance.now()
  try {
    await startVm(options, name)
    const answer = await waitForWord(options, name)
    if (answer !== 'healthy') throw await failure(options, name, answer)
    options.note(`boot test passed: healthy after ${formatDuration(performance.now() - startedAt)}`)
  } finally {
    // why the test failed matters more than that its machine could not be removed: the next test removes it
    await removeTestVm({ ...options, signal: AbortSignal.timeout(5 * MINUTE_MS) }).catch((error: unknown) =>
      options.note(`the VM ${name} could not be removed yet: ${describeError(error)}`),
    )
  }
}

/** One for each family, so that the next test, or the end of the stack, finds one that a killed run left. */
export function testVmName(family: string): string {
  return `kiln-test-${family}`.slice(0, 63).replace(/-+$/, '')
}

async function startVm({ clients, signal, project, zone, image, health }: ImageTest, name: string): Promise<void> {
  const compute = await clients.compute()
  const requestBody = {
    name,
    description: `Kiln's test of the image ${image}; it is deleted when the test ends`,
    machineType: `zones/${zone}/machineTypes/e2-medium`,
    labels: { 'managed-by': 'kiln', 'kiln-role': 'image-test' },
    metadata: { items: [{ key: 'startup-script', value: startupScript(health) }] },
    disks: [{ boot: true, autoDelete: true, initializeParams: { sourceImage: `projects/${project}/global/images/${image}` } }],
    networkInterfaces: [{ network: 'global/networks/default' }],
  }
  await waitForCompute(clients, project, await call(compute.instances.insert({ project, zone, requestBody }, { signal })), { signal, what: `start the VM ${name}` })
}

/** Runs as root in the machine, which needs nothing but bash for it. */
export function startupScript(health: ImageTest['health']): string {
  if (health === undefined) return `#!/bin/bash\necho '${WORD}: healthy'\n`
  return `#!/bin/bash
# Asks this machine's server for its health, and says the answer on the serial port.
ask() (
  exec 3<>/dev/tcp/127.0.0.1/${health.port} || exit
  printf 'GET %s HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' ${shellWord(health.path)} >&3
  IFS= read -r -t 10 line <&3
  printf '%s' "\${line%$'\\r'}"
)
end=$((SECONDS + ${health.timeoutSeconds}))
while [ "$SECONDS" -lt "$end" ]; do
  answer=$(ask 2>&1 | tail -n 1)
  case $answer in
    HTTP/1.?' 200'*)
      echo '${WORD}: healthy'
      exit 0
      ;;
  esac
  sleep 1
done
echo "${WORD}: \${answer:-no answer}"
`
}

async function waitForWord(options: ImageTest, name: string): Promise<string> {
  const { clients, signal, project, zone, health } = options
  const timeoutMs = BOOT_MS + (health?.timeoutSeconds ?? 0) * SECOND_MS
  const compute = await clients.compute()
  const deadline = performance.now() + timeoutMs
  return waitFor({ what: `${name} says how it is`, timeoutMs: timeoutMs + MINUTE_MS, intervalMs: 2 * SECOND_MS, signal }, async () => {
    const output = await call(compute.instances.getSerialPortOutput({ project, zone, instance: name }, { signal }))
    const word = wordOf(output.contents ?? '')
    if (word !== undefined) return { done: true, value: word }
    const { status } = await call(compute.instances.get({ project, zone, instance: name }, { signal }))
    if (status === 'TERMINATED' || status === 'STOPPING') return { done: true, value: `the VM ended (${status})` }
    if (performance.now() > deadline) return { done: true, value: 'its startup script never ran to its end' }
    return { done: false, status: status ?? 'no status' }
  })
}

/** What the startup script said last: `healthy`, or the server's last answer. */
export function wordOf(serial: string): string | undefined {
  return [...serial.matchAll(new RegExp(`${WORD}: ([^\\r\\n]+)`, 'g'))].at(-1)?.[1]?.trim()
}

async function failure({ clients, project, zone, image, family, health }: ImageTest, name: string, answer: string): Promise<KilnError> {
  const within = health === undefined ? '' : ` within ${health.timeoutSeconds} s`
  return new KilnError('E_BOOT_TEST', `image ${family} did not become healthy${within}; last answer${health === undefined ? '' : ` of ${health.path}`}: ${answer}`, {
    hint: 'the family was left as it was; correct what the log shows and bake again',
    detail: `The VM ${name} of ${image}. Serial port:\n${await serialTail(clients, project, zone, name, 60)}`,
  })
}

/** Removes the VM of a family's test; gone is fine. */
export async function removeTestVm({ clients, signal, project, zone, family }: Pick<ImageTest, 'clients' | 'signal' | 'project' | 'zone' | 'family'>): Promise<void> {
  await orNothing(instanceKind.remove({ clients, signal, progress: silentProgress }, { projectId: project, zone, name: testVmName(family) }))
}
