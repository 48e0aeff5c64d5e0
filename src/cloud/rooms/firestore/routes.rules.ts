/** Routes of Firebase Rules, a host of its own. https://firebase.google.com/docs/reference/rules/rest/v1/projects.rulesets */
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { emptyToUndefined, param } from './routes.databases.ts'
import { ReleaseBody, RulesetBody } from './schema.ts'
import { servicesOf } from './service.rules.ts'
import type { RulesService } from './service.rules.ts'
import type { Release, Ruleset } from './store.rules.ts'

const RULESETS = '/v1/projects/:project/rulesets'
const RELEASES = '/v1/projects/:project/releases'

export function rulesRoutes(rules: RulesService): readonly AnyRoute[] {
  // `anyProject`: the room's own service is Firestore; this one is checked by the service.
  const own = { host: 'rules', anyProject: true } as const
  const release = (request: RouteRequest<unknown>): string => param(request, '*')
  const createRuleset: Route<RulesetBody> = {
    ...own,
    id: 'firebaserules.projects.rulesets.create',
    method: 'POST',
    path: RULESETS,
    permission: 'firebaserules.rulesets.create',
    body: RulesetBody,
    handler: (request) => presentRuleset(rules.createRuleset(param(request, 'project'), request.body)),
  }
  const createRelease: Route<ReleaseBody> = {
    ...own,
    id: 'firebaserules.projects.releases.create',
    method: 'POST',
    path: RELEASES,
    permission: 'firebaserules.releases.create',
    body: ReleaseBody,
    handler: (request) => presentRelease(rules.createRelease(param(request, 'project'), request.body.name, request.body.rulesetName)),
  }
  const patchRelease: Route<ReleaseBody> = {
    ...own,
    id: 'firebaserules.projects.releases.patch',
    method: 'PATCH',
    path: `${RELEASES}/*`,
    permission: 'firebaserules.releases.update',
    body: ReleaseBody,
    handler: (request) => presentRelease(rules.changeRelease(param(request, 'project'), release(request), request.body.release?.rulesetName ?? request.body.rulesetName)),
  }
  return [
    createRuleset,
    {
      ...own,
      id: 'firebaserules.projects.rulesets.list',
      method: 'GET',
      path: RULESETS,
      permission: 'firebaserules.rulesets.list',
      handler(request) {
        // Newest first: the key counts down.
        const key = (ruleset: Ruleset): string => `${String(1e15 - Date.parse(ruleset.createTime)).padStart(16, '0')} ${ruleset.rulesetId}`
        const { items, nextPageToken } = page(rules.listRulesets(param(request, 'project')), request.query, key, { size: 10, max: 100 })
        return { rulesets: emptyToUndefined(items.map((ruleset) => ({ name: nameOf(ruleset), createTime: ruleset.createTime }))), nextPageToken }
      },
    },
    {
      ...own,
      id: 'firebaserules.projects.rulesets.get',
      method: 'GET',
      path: `${RULESETS}/:ruleset`,
      permission: 'firebaserules.rulesets.get',
      handler: (request) => presentRuleset(rules.getRuleset(param(request, 'project'), param(request, 'ruleset'))),
    },
    {
      ...own,
      id: 'firebaserules.projects.rulesets.delete',
      method: 'DELETE',
      path: `${RULESETS}/:ruleset`,
      permission: 'firebaserules.rulesets.delete',
      handler(request) {
        rules.removeRuleset(param(request, 'project'), param(request, 'ruleset'))
        return {}
      },
    },
    createRelease,
    {
      ...own,
      id: 'firebaserules.projects.releases.list',
      method: 'GET',
      path: RELEASES,
      permission: 'firebaserules.releases.list',
      handler(request) {
        const wanted = /name=([^\s]+)/.exec(request.query['filter'] ?? '')?.[1]
        const found = rules
          .listReleases(param(request, 'project'))
          .filter((each) => wanted === undefined || matchesName(each.name, wanted.replace(/^projects\/[^/]+\/releases\//, '')))
        const { items, nextPageToken } = page(found, request.query, (each) => each.name, { size: 10, max: 100 })
        return { releases: emptyToUndefined(items.map(presentRelease)), nextPageToken }
      },
    },
    {
      ...own,
      id: 'firebaserules.projects.releases.get',
      method: 'GET',
      path: `${RELEASES}/*`,
      permission: 'firebaserules.releases.get',
      handler: (request) => presentRelease(rules.getRelease(param(request, 'project'), release(request))),
    },
    patchRelease,
    {
      ...own,
      id: 'firebaserules.projects.releases.delete',
      method: 'DELETE',
      path: `${RELEASES}/*`,
      permission: 'firebaserules.releases.delete',
      handler(request) {
        rules.removeRelease(param(request, 'project'), release(request))
        return {}
      },
    },
  ]
}

function matchesName(name: string, wanted: string): boolean {
  return wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted
}

function nameOf(ruleset: Ruleset): string {
  return `projects/${ruleset.projectId}/rulesets/${ruleset.rulesetId}`
}

function presentRuleset(ruleset: Ruleset): Record<string, unknown> {
  return { name: nameOf(ruleset), source: ruleset.source, createTime: ruleset.createTime, metadata: { services: servicesOf(ruleset) } }
}

function presentRelease(release: Release): Record<string, unknown> {
  return { name: `projects/${release.projectId}/releases/${release.name}`, rulesetName: release.rulesetName, createTime: release.createTime, updateTime: release.updateTime }
}
