/** Releases of rules. https://firebase.google.com/docs/reference/rules/rest/v1/projects.releases */
import type { Clients } from '../../client/clients.ts'
import { isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { RulesRelease } from '../../client/firebase-rules.ts'
import type { ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { firebaseReleaseResource } from './resource.ts'
import { FirebaseReleaseProps } from './schema.ts'
import type { FirebaseReleaseAttributes } from './schema.ts'

export const firebaseReleaseKind: ResourceKind<FirebaseReleaseProps, FirebaseReleaseAttributes, Clients> = {
  kind: firebaseReleaseResource.kind,
  identity: firebaseReleaseResource.identity,
  parse: (props) => parseProps(firebaseReleaseResource.kind, FirebaseReleaseProps, props),

  async observe(context, identity) {
    try {
      return toAttributes(await context.clients.firebaseRules.getRelease(part(identity, 'projectId'), part(identity, 'release'), { signal: context.signal }))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => compare(firebaseReleaseResource, { rulesetId: [observed.rulesetId, props.rulesetId] }),

  async create(context, props) {
    try {
      return toAttributes(await context.clients.firebaseRules.createRelease(props.projectId, props.release, rulesetName(props), { signal: context.signal }))
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await firebaseReleaseKind.update(context, props, { rulesetId: '' }, [])
  },

  async update(context, props) {
    return toAttributes(await context.clients.firebaseRules.patchRelease(props.projectId, props.release, rulesetName(props), { signal: context.signal }))
  },

  async remove(context, identity) {
    try {
      await context.clients.firebaseRules.deleteRelease(part(identity, 'projectId'), part(identity, 'release'), { signal: context.signal })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function rulesetName(props: FirebaseReleaseProps): string {
  return `projects/${props.projectId}/rulesets/${props.rulesetId}`
}

function toAttributes(release: RulesRelease): FirebaseReleaseAttributes {
  const name = release.rulesetName ?? ''
  return { rulesetId: name.slice(name.lastIndexOf('/') + 1) }
}
