/**
 * The newest version of a secret. https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions
 * Versions never change: another value is another version. Values go from where the config says straight to Secret Manager; what is compared and remembered are digests.
 */
import { crc32c } from '@node-rs/crc32'
import type { secretmanager_v1 } from '@googleapis/secretmanager/build/v1.js'
import type { Clients } from '../../client/clients.ts'
import { ApiError, call, isAbsent, isGone } from '../../client/errors.ts'
import { requireSecretValue, secretDigest } from '../../client/secret-values.ts'
import type { Difference, KindContext, ResourceKind } from '../../engine/types.ts'
import { parseProps } from '../resource.ts'
import { outdated, secretName, secretVersionResource } from './resource.ts'
import { SecretVersionProps } from './schema.ts'
import type { OldVersion, SecretVersionAttributes } from './schema.ts'

type Context = KindContext<Clients>
type Identity = Readonly<Record<string, string>>

export const secretVersionKind: ResourceKind<SecretVersionProps, SecretVersionAttributes, Clients> = {
  kind: secretVersionResource.kind,
  identity: secretVersionResource.identity,
  parse: (props) => parseProps(secretVersionResource.kind, SecretVersionProps, props),

  async observe(context, identity) {
    try {
      return await read(context, identity)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff(props, observed) {
    const differences: Difference[] = []
    if (observed.state !== 'ENABLED') differences.push({ path: 'state', from: `version ${observed.version} is ${observed.state}`, to: 'ENABLED' })
    // no value, not even a digest of one, is ever in a plan
    else if (isOther(props, observed)) differences.push({ path: 'value', from: `version ${observed.version}`, to: `the value of ${shownSource(props.from)}` })
    const old = outdated(props, observed.older)
    if (old.length > 0) differences.push({ path: 'oldVersions', from: old.map((one) => `${one.version} ${one.state}`).join(', '), to: props.oldVersions })
    return differences
  },

  create: (context, props) => put(context, props, undefined),
  update: (context, props, observed) => put(context, props, observed),

  async remove(context, identity) {
    try {
      for (const version of (await list(context, identity)).filter((one) => one.state !== 'DESTROYED')) await destroy(context, identity, version)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function isOther(props: SecretVersionProps, observed: SecretVersionAttributes): boolean {
  return props.digest !== undefined && props.digest !== observed.digest
}

/** Folders of one machine are no news. */
function shownSource(from: string): string {
  return from.startsWith('file:') ? `file:${from.slice(from.lastIndexOf('/') + 1)}` : from
}

async function put(context: Context, props: SecretVersionProps, observed: SecretVersionAttributes | undefined): Promise<SecretVersionAttributes> {
  const identity = secretVersionResource.identity(props)
  let live = observed ?? (await read(context, identity))
  if (live === undefined || live.state !== 'ENABLED' || isOther(props, live)) {
    await add(context, props)
    live = await read(context, identity)
  }
  for (const old of outdated(props, live?.older ?? [])) {
    await (props.oldVersions === 'destroy' ? destroy(context, identity, old) : disable(context, identity, old))
  }
  const done = await read(context, identity)
  if (done === undefined) throw new ApiError('E_API', `${secretName(identity)} has no version although one was added`, {}, { hint: 'run the same command again' })
  return done
}

async function add(context: Context, props: SecretVersionProps): Promise<void> {
  const parent = secretName(secretVersionResource.identity(props))
  const value = await requireSecretValue(props.from, parent, props.digest)
  const manager = await context.clients.secretManager()
  const requestBody = { payload: { data: value.toString('base64'), dataCrc32c: String(crc32c(value)) } }
  await call(manager.projects.secrets.addVersion({ parent, requestBody }, { signal: context.signal }))
}

async function read(context: Context, identity: Identity): Promise<SecretVersionAttributes | undefined> {
  const versions = await list(context, identity)
  const newest = versions.at(-1)
  const older = versions.slice(0, -1).filter((one) => one.state !== 'DESTROYED')
  if (newest === undefined || (newest.state === 'DESTROYED' && older.length === 0)) return undefined
  const digest = newest.state === 'ENABLED' ? await digestOf(context, identity, newest) : undefined
  return { ...newest, ...(digest === undefined ? {} : { digest }), older }
}

/** All versions, oldest first. */
async function list(context: Context, identity: Identity): Promise<readonly OldVersion[]> {
  const manager = await context.clients.secretManager()
  const versions: OldVersion[] = []
  let pageToken: string | undefined
  do {
    const request = { parent: secretName(identity), ...(pageToken === undefined ? {} : { pageToken }) }
    const page: secretmanager_v1.Schema$ListSecretVersionsResponse = await call(manager.projects.secrets.versions.list(request, { signal: context.signal }))
    for (const { name, state } of page.versions ?? []) versions.push({ version: (name ?? '').slice((name ?? '').lastIndexOf('/') + 1), state: state ?? '' })
    pageToken = page.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  return versions.toSorted((left, right) => Number(left.version) - Number(right.version))
}

async function digestOf(context: Context, identity: Identity, { version }: OldVersion): Promise<string> {
  const manager = await context.clients.secretManager()
  const { payload } = await call(manager.projects.secrets.versions.access({ name: `${secretName(identity)}/versions/${version}` }, { signal: context.signal }))
  return await secretDigest(Buffer.from(payload?.data ?? '', 'base64'), secretName(identity))
}

async function disable(context: Context, identity: Identity, { version }: OldVersion): Promise<void> {
  const manager = await context.clients.secretManager()
  await call(manager.projects.secrets.versions.disable({ name: `${secretName(identity)}/versions/${version}`, requestBody: {} }, { signal: context.signal }))
}

async function destroy(context: Context, identity: Identity, { version }: OldVersion): Promise<void> {
  const manager = await context.clients.secretManager()
  await call(manager.projects.secrets.versions.destroy({ name: `${secretName(identity)}/versions/${version}`, requestBody: {} }, { signal: context.signal }))
}
