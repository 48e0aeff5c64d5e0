/** Looking into VMs through the API alone: addresses, serial output, SSH keys. The same on Google. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { waitFor } from '../base/wait.ts'
import type { Clients } from '../client/clients.ts'
import { call, isAbsent } from '../client/errors.ts'
import { waitForCompute } from '../client/operations.ts'
import { loadStack } from '../config/load.ts'
import { isServerImage } from '../config/schema.images.ts'
import { run } from '../host/exec.ts'
import { readTextIfExists } from '../host/files.ts'
import type { KilnHome } from '../host/home.ts'
import { accepts } from '../host/ports.ts'
import { cloudStatus } from './cloud/control.ts'
import { openGoogleCloud } from './stack/cloud.ts'
import type { Target } from './stack/cloud.ts'
import { pocketClients } from './stack/cloud-clients.ts'
import { vmName } from './stack/dev-vm.ts'

export interface VmTarget {
  readonly clients: Clients
  readonly home: KilnHome
  readonly project: string
  readonly zone: string
  readonly name: string
  /** Names of the config's images with a server: what their units call themselves in the log. */
  readonly servers: ReadonlySet<string>
}

/**
 * The VM that is meant: the named one, else the dev VM of the config.
 * @throws KilnError E_CLOUD_NOT_RUNNING, E_NOT_FOUND
 */
export async function findVm(options: { readonly home: KilnHome; readonly target?: Target; readonly dir: string; readonly name: string | undefined }): Promise<VmTarget> {
  const { config } = await loadStack(options.dir)
  const name = vmName(options.name, config)
  const servers = new Set(Object.entries(config.images).flatMap(([family, image]) => (isServerImage(image) ? [family] : [])))
  const clients = options.target === 'gcp' ? openGoogleCloud().clients : await runningPocket(options.home)
  return { clients, home: options.home, project: config.project.id, zone: config.location.zone, name, servers }
}

/** Whoever looks into a VM starts no cloud for it. */
async function runningPocket(home: KilnHome): Promise<Clients> {
  const { url } = await cloudStatus(home)
  if (url === undefined) throw new KilnError('E_CLOUD_NOT_RUNNING', 'the pocket cloud is not running', { hint: 'start it: kiln cloud start' })
  return pocketClients(home, url)
}

/** @throws KilnError E_NOT_FOUND that lists the VMs that are there */
export async function getInstance(vm: VmTarget): Promise<{ readonly id: string; readonly status: string; readonly address: string }> {
  const compute = await vm.clients.compute()
  try {
    const instance = await call(compute.instances.get({ project: vm.project, zone: vm.zone, instance: vm.name }))
    return { id: String(instance.id), status: instance.status ?? '', address: instance.networkInterfaces?.[0]?.accessConfigs?.[0]?.natIP ?? '' }
  } catch (error) {
    if (!isAbsent(error)) throw error
    const list = await call(compute.instances.list({ project: vm.project, zone: vm.zone })).catch(() => ({ items: [] }))
    const names = (list.items ?? []).map((each) => each.name).join(', ')
    throw new KilnError('E_NOT_FOUND', `there is no VM ${vm.name} in ${vm.project}/${vm.zone}`, {
      hint: names === '' ? 'run `kiln up` first' : `there are: ${names}`,
      cause: error,
    })
  }
}

/** Serial port 1 from the beginning, then, when `follow`, what comes until the signal fires. */
export async function* readSerial(vm: VmTarget, follow: boolean, signal: AbortSignal): AsyncGenerator<string> {
  await getInstance(vm)
  const compute = await vm.clients.compute()
  let start = '0'
  for (;;) {
    const output = await call(compute.instances.getSerialPortOutput({ project: vm.project, zone: vm.zone, instance: vm.name, start }))
    if ((output.contents ?? '') !== '') yield output.contents ?? ''
    const more = output.next !== undefined && output.next !== null && output.next !== start
    start = output.next ?? start
    if (more) continue
    if (!follow || signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 500)
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
    })
    if (signal.aborted) return
  }
}

/** Only what the server's own unit writes. */
export async function* readLogs(vm: VmTarget, follow: boolean, signal: AbortSignal): AsyncGenerator<string> {
  yield* serverLines(readSerial(vm, follow, signal), vm.servers)
}

/** The lines of these servers in serial output that comes in pieces, each with a line end. */
export async function* serverLines(chunks: AsyncIterable<string>, servers: ReadonlySet<string>): AsyncGenerator<string> {
  const ofServer = (line: string): boolean => servers.has(unitOf(line) ?? '')
  let rest = ''
  for await (const chunk of chunks) {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (ofServer(line)) yield `${line.replace(/\r$/, '')}\n`
  }
  if (ofServer(rest)) yield `${rest.replace(/\r$/, '')}\n`
}

/** `[   12.345678] moshi-srv[312]: text`, as systemd prints what a unit writes to journal and console -> `moshi-srv`. */
function unitOf(line: string): string | undefined {
  return /^(?:\[\s*[\d.]+\]\s+)?([\w@.-]+)\[\d+\]: /.exec(line)?.[1]
}

export const sshUser = 'kiln'

/**
 * Makes sure that this data folder's SSH key is known to the project, so that the guest agent lets it in, and that the VM takes
 * connections. Returns the arguments for `ssh`.
 * @throws KilnError E_VM when the VM does not run, E_TIMEOUT when SSH does not answer
 */
export async function prepareSsh(vm: VmTarget, signal: AbortSignal, note: (text: string) => void): Promise<readonly string[]> {
  const instance = await getInstance(vm)
  if (instance.status !== 'RUNNING') throw new KilnError('E_VM', `the VM ${vm.name} is ${instance.status}`, { hint: 'start it with `kiln up`' })
  const key = await ensureKey(vm.home)
  await addProjectKey(vm, key.publicKey, signal)
  const known = join(vm.home.root, 'ssh', 'known_hosts')
  await mkdir(vm.home.sockets, { recursive: true, mode: 0o700 })
  const common = [
    '-i',
    key.path,
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    `UserKnownHostsFile=${known}`,
    '-o',
    'StrictHostKeyChecking=accept-new',
    '-o',
    `HostKeyAlias=${vm.project}.${vm.name}.${instance.id}`,
    '-o',
    'LogLevel=ERROR',
  ]
  // The connection that proves that the key is accepted is kept for the command that follows.
  const shared = ['-o', 'ControlMaster=auto', '-o', `ControlPath=${join(vm.home.sockets, 'ssh-%C')}`, '-o', 'ControlPersist=60']
  let told = false
  return waitFor({ what: `SSH on ${vm.name}`, timeoutMs: 300_000, intervalMs: 500, signal, hint: `look at its boot: kiln serial ${vm.name}` }, async () => {
    let status = 'no connection'
    // Without the right to bind port 22, the pocket cloud forwards it ten thousand higher.
    for (const port of [22, 10_022]) {
      if (!(await accepts(port, instance.address))) continue
      const args = [...common, ...shared, '-p', String(port), `${sshUser}@${instance.address}`]
      const check = await run({ program: 'ssh', args: ['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=30', ...args, 'true'] }, { signal, okCodes: [0, 255], what: 'connecting' })
      if (check.exitCode === 0) return { done: true, value: args }
      status = check.stderr.trim().split('\n').at(-1) ?? ''
    }
    if (!told) note(`waiting for SSH on ${instance.address}`)
    told = true
    return { done: false, status }
  })
}

/** One key pair per data folder, made at first use. */
async function ensureKey(home: KilnHome): Promise<{ readonly path: string; readonly publicKey: string }> {
  const folder = join(home.root, 'ssh')
  const path = join(folder, 'id_ed25519')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const found = await readTextIfExists(`${path}.pub`)
  if (found !== undefined) return { path, publicKey: found.trim() }
  await run({ program: 'ssh-keygen', args: ['-q', '-t', 'ed25519', '-N', '', '-C', sshUser, '-f', path] }, { what: 'making an SSH key' })
  return { path, publicKey: ((await readTextIfExists(`${path}.pub`)) ?? '').trim() }
}

/** Adds `USER:KEY` to the project's `ssh-keys` metadata, as `gcloud compute ssh` does. */
async function addProjectKey(vm: VmTarget, publicKey: string, signal: AbortSignal): Promise<void> {
  const compute = await vm.clients.compute()
  const project = await call(compute.projects.get({ project: vm.project }))
  const items = (project.commonInstanceMetadata?.items ?? []).map((item) => ({ key: item.key ?? '', value: item.value ?? '' }))
  const line = `${sshUser}:${publicKey}`
  const present = items.find((item) => item.key === 'ssh-keys')
  if (present?.value.split('\n').includes(line) === true) return
  const value = present === undefined || present.value === '' ? line : `${present.value}\n${line}`
  const requestBody = {
    fingerprint: project.commonInstanceMetadata?.fingerprint ?? undefined,
    items: [...items.filter((item) => item.key !== 'ssh-keys'), { key: 'ssh-keys', value }],
  }
  await waitForCompute(vm.clients, vm.project, await call(compute.projects.setCommonInstanceMetadata({ project: vm.project, requestBody })), {
    what: 'add the SSH key to the project',
    signal,
  })
}
