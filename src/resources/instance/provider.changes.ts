/** Changes of a live virtual machine: metadata, labels and tags while it runs; machine type and account while it is stopped. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { MINUTE_MS } from '../../base/units.ts'
import { waitFor } from '../../base/wait.ts'
import type { Clients } from '../../client/clients.ts'
import { call } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import type { Difference, KindContext } from '../../engine/types.ts'
import { mergeMaps, touches } from '../resource.ts'
import { isForeignMetadata, isUp } from './resource.ts'
import type { InstanceAttributes, InstanceProps } from './schema.ts'

type Context = KindContext<Clients>

/**
 * Applies `differences` against what was observed. May stop at any point and be run again: a VM that was left stopped differs in its status.
 * @throws KilnError E_API with status 412 when a fingerprint is old, E_OPERATION …
 */
export async function changeInstance(context: Context, props: InstanceProps, observed: InstanceAttributes, differences: readonly Difference[]): Promise<void> {
  const compute = await context.clients.compute()
  const target = { project: props.projectId, zone: props.zone, instance: props.name }
  const options = { signal: context.signal }
  const finish = async (what: string, started: Promise<{ readonly data: compute_v1.Schema$Operation }>): Promise<void> => {
    context.progress.note(what)
    await waitForCompute(context.clients, props.projectId, await call(started), { what: `${what} of the VM ${props.name}`, signal: context.signal })
  }

  if (touches(differences, 'labels')) {
    const requestBody = { labels: mergeMaps(observed.labels, props.labels), labelFingerprint: observed.labelFingerprint }
    await finish('set the labels', compute.instances.setLabels({ ...target, requestBody }, options))
  }
  if (touches(differences, 'metadata')) {
    const items = Object.entries(mergeMaps(observed.metadata, props.metadata, isForeignMetadata)).map(([key, value]) => ({ key, value }))
    await finish('set the metadata', compute.instances.setMetadata({ ...target, requestBody: { items, fingerprint: observed.metadataFingerprint } }, options))
  }
  if (touches(differences, 'tags')) {
    await finish('set the network tags', compute.instances.setTags({ ...target, requestBody: { items: props.tags, fingerprint: observed.tagsFingerprint } }, options))
  }

  const newType = touches(differences, 'machineType')
  const newAccount = touches(differences, 'serviceAccount') || touches(differences, 'scopes')
  let { status } = observed
  if (status === 'SUSPENDED' || status === 'SUSPENDING') {
    if (status === 'SUSPENDING') await settle(context, props, 'SUSPENDED')
    await finish('resume', compute.instances.resume(target, options))
    status = 'RUNNING'
  }
  if ((newType || newAccount) && isUp(status)) {
    await finish('stop', compute.instances.stop(target, options))
    status = 'TERMINATED'
  }
  if (status === 'STOPPING') {
    await settle(context, props, 'TERMINATED')
    status = 'TERMINATED'
  }
  if (newType) {
    const requestBody = { machineType: `zones/${props.zone}/machineTypes/${props.machineType}` }
    await finish('set the machine type', compute.instances.setMachineType({ ...target, requestBody }, options))
  }
  if (newAccount) {
    const requestBody = props.serviceAccount === undefined ? {} : { email: props.serviceAccount, scopes: props.scopes }
    await finish('set the service account', compute.instances.setServiceAccount({ ...target, requestBody }, options))
  }
  if (!isUp(status)) await finish('start', compute.instances.start(target, options))
}

async function settle(context: Context, props: InstanceProps, wanted: string): Promise<void> {
  const compute = await context.clients.compute()
  await waitFor({ what: `the VM ${props.name} is ${wanted}`, timeoutMs: 5 * MINUTE_MS, intervalMs: 500, signal: context.signal }, async () => {
    const instance = await call(compute.instances.get({ project: props.projectId, zone: props.zone, instance: props.name }, { signal: context.signal }))
    return instance.status === wanted ? { done: true, value: undefined } : { done: false, status: instance.status ?? 'unknown' }
  })
}
