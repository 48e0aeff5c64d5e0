/**
 * Rulesets of Firebase. https://firebase.google.com/docs/reference/rules/rest/v1/projects.rulesets
 * One is made before the one that it replaces goes: the release must never point to nothing.
 */
import { sha256Hex } from '../../base/ids.ts'
import type { Clients } from '../../client/clients.ts'
import { isAbsent, isGone, isNotFound } from '../../client/errors.ts'
import type { Ruleset } from '../../client/firebase-rules.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { parseProps, part } from '../resource.ts'
import { firebaseRulesetResource } from './resource.ts'
import { FirebaseRulesetProps } from './schema.ts'
import type { FirebaseRulesetAttributes } from './schema.ts'

type Context = KindContext<Clients>
type Identity = Readonly<Record<string, string>>

/** Lists do not show sources, so each ruleset is a call of its own. One that is not among the newest is made again. */
const mostSearched = 50

export const firebaseRulesetKind: ResourceKind<FirebaseRulesetProps, FirebaseRulesetAttributes, Clients> = {
  kind: firebaseRulesetResource.kind,
  identity: firebaseRulesetResource.identity,
  parse: (props) => parseProps(firebaseRulesetResource.kind, FirebaseRulesetProps, props),
  createBeforeDelete: true,

  async observe(context, identity) {
    try {
      const rulesetId = (await inForce(context, identity)) ?? (await amongNewest(context, identity))
      return rulesetId === undefined ? undefined : { rulesetId }
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: () => [],

  async create(context, props) {
    const there = await firebaseRulesetKind.observe(context, firebaseRulesetResource.identity(props))
    if (there !== undefined) return there
    const ruleset = await context.clients.firebaseRules.createRuleset(props.projectId, [{ name: props.file, content: props.content }], { signal: context.signal })
    return { rulesetId: idOf(ruleset.name) }
  },

  update: (context, props) => firebaseRulesetKind.create(context, props),

  async remove(context, identity) {
    const there = await firebaseRulesetKind.observe(context, identity)
    if (there === undefined) return
    try {
      await context.clients.firebaseRules.deleteRuleset(part(identity, 'projectId'), there.rulesetId, { signal: context.signal })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

/** The usual case: the rules that are released are these. */
async function inForce(context: Context, identity: Identity): Promise<string | undefined> {
  try {
    const release = await context.clients.firebaseRules.getRelease(part(identity, 'projectId'), part(identity, 'release'), { signal: context.signal })
    return await matching(context, identity, idOf(release.rulesetName))
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function amongNewest(context: Context, identity: Identity): Promise<string | undefined> {
  const newest = await context.clients.firebaseRules.newestRulesets(part(identity, 'projectId'), mostSearched, { signal: context.signal })
  for (const { name } of newest) {
    const found = await matching(context, identity, idOf(name))
    if (found !== undefined) return found
  }
  return undefined
}

async function matching(context: Context, identity: Identity, rulesetId: string): Promise<string | undefined> {
  let ruleset: Ruleset
  try {
    ruleset = await context.clients.firebaseRules.getRuleset(part(identity, 'projectId'), rulesetId, { signal: context.signal })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
  const [file, ...more] = ruleset.source?.files ?? []
  const isSame = more.length === 0 && file?.name === identity['file'] && sha256Hex(file?.content ?? '') === identity['sha256']
  return isSame ? rulesetId : undefined
}

function idOf(name: string | undefined): string {
  return (name ?? '').slice((name ?? '').lastIndexOf('/') + 1)
}
