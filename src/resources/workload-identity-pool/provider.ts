/**
 * Workload identity pools. https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools
 * A deleted one keeps its id for 30 days; for us it is not there, and creating it again brings it back.
 */
import type { iam_v1 } from '@googleapis/iam/build/v1.js'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import { waitForOperation } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { poolName, workloadIdentityPoolResource } from './resource.ts'
import { WorkloadIdentityPoolProps } from './schema.ts'
import type { WorkloadIdentityPoolAttributes } from './schema.ts'

type Context = KindContext<Clients>
type Pools = iam_v1.Resource$Projects$Locations$Workloadidentitypools

export const workloadIdentityPoolKind: ResourceKind<WorkloadIdentityPoolProps, WorkloadIdentityPoolAttributes, Clients> = {
  kind: workloadIdentityPoolResource.kind,
  identity: workloadIdentityPoolResource.identity,
  parse: (props) => parseProps(workloadIdentityPoolResource.kind, WorkloadIdentityPoolProps, props),

  async observe(context, identity) {
    try {
      const pool = await get(context, poolName(identity))
      return pool.state === 'DELETED' ? undefined : toAttributes(pool)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) =>
    compare(workloadIdentityPoolResource, {
      displayName: [observed.displayName, props.displayName],
      description: [observed.description, props.description],
      disabled: [observed.disabled, false],
    }),

  async create(context, props) {
    const name = poolName(workloadIdentityPoolResource.identity(props))
    const options = { signal: context.signal }
    try {
      const requestBody = { displayName: props.displayName, description: props.description }
      const request = { parent: `projects/${props.projectId}/locations/global`, workloadIdentityPoolId: props.poolId, requestBody }
      await finish(context, `create the workload identity pool ${props.poolId}`, async (pools) => await call(pools.create(request, options)))
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    const pool = await get(context, name)
    if (pool.state === 'DELETED') await finish(context, `bring the pool ${props.poolId} back`, async (pools) => await call(pools.undelete({ name, requestBody: {} }, options)))
    const attributes = toAttributes(pool.state === 'DELETED' ? await get(context, name) : pool)
    const differences = workloadIdentityPoolKind.diff(props, attributes)
    return differences.length === 0 ? attributes : await workloadIdentityPoolKind.update(context, props, attributes, differences)
  },

  async update(context, props) {
    const name = poolName(workloadIdentityPoolResource.identity(props))
    const requestBody = { displayName: props.displayName, description: props.description, disabled: false }
    const request = { name, updateMask: 'displayName,description,disabled', requestBody }
    await finish(context, `change the workload identity pool ${props.poolId}`, async (pools) => await call(pools.patch(request, { signal: context.signal })))
    return toAttributes(await get(context, name))
  },

  async remove(context, identity) {
    if ((await workloadIdentityPoolKind.observe(context, identity)) === undefined) return
    const name = poolName(identity)
    try {
      await finish(context, `delete the workload identity pool ${part(identity, 'poolId')}`, async (pools) => await call(pools.delete({ name }, { signal: context.signal })))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

async function get(context: Context, name: string): Promise<iam_v1.Schema$WorkloadIdentityPool> {
  return await call((await context.clients.iam()).projects.locations.workloadIdentityPools.get({ name }, { signal: context.signal }))
}

async function finish(context: Context, what: string, start: (pools: Pools) => Promise<iam_v1.Schema$Operation>): Promise<void> {
  const pools = (await context.clients.iam()).projects.locations.workloadIdentityPools
  await waitForOperation(await start(pools), (name) => call(pools.operations.get({ name }, { signal: context.signal })), { what, signal: context.signal })
}

function toAttributes(pool: iam_v1.Schema$WorkloadIdentityPool): WorkloadIdentityPoolAttributes {
  return { name: pool.name ?? '', displayName: pool.displayName ?? '', description: pool.description ?? '', disabled: pool.disabled === true }
}
