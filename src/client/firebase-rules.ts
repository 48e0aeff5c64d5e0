/** Firebase Rules (REST v1): rulesets, and releases that say which ruleset is in force. https://firebase.google.com/docs/reference/rules/rest */
import type { JsonOptions, Transport } from './transport.ts'

export interface RulesFile {
  readonly name?: string
  readonly content?: string
}

export interface Ruleset {
  /** `projects/P/rulesets/ID` */
  readonly name?: string
  readonly createTime?: string
  /** Not in lists. */
  readonly source?: { readonly files?: readonly RulesFile[] }
}

export interface RulesRelease {
  /** `projects/P/releases/NAME` */
  readonly name?: string
  readonly rulesetName?: string
}

interface CallOptions {
  readonly signal?: AbortSignal
}

/** Every method throws as `Transport.send` does. */
export interface FirebaseRules {
  getRuleset(projectId: string, rulesetId: string, options?: CallOptions): Promise<Ruleset>
  /** The newest rulesets without their sources, at most `most`. */
  newestRulesets(projectId: string, most: number, options?: CallOptions): Promise<readonly Ruleset[]>
  createRuleset(projectId: string, files: readonly RulesFile[], options?: CallOptions): Promise<Ruleset>
  deleteRuleset(projectId: string, rulesetId: string, options?: CallOptions): Promise<unknown>
  getRelease(projectId: string, release: string, options?: CallOptions): Promise<RulesRelease>
  createRelease(projectId: string, release: string, rulesetName: string, options?: CallOptions): Promise<RulesRelease>
  patchRelease(projectId: string, release: string, rulesetName: string, options?: CallOptions): Promise<RulesRelease>
  deleteRelease(projectId: string, release: string, options?: CallOptions): Promise<unknown>
}

const base = 'https://firebaserules.googleapis.com/v1'

/** Makes the client over a transport. This API refuses a person's credentials without a quota project. */
export function createFirebaseRules(transport: Transport): FirebaseRules {
  const send = <T>(method: string, projectId: string, path: string, options: JsonOptions): Promise<T> =>
    transport.json(method, `${base}/projects/${projectId}/${path}`, { ...options, quotaProject: projectId })
  const nameOf = (projectId: string, release: string): string => `projects/${projectId}/releases/${release}`
  return {
    getRuleset: (projectId, rulesetId, options = {}) => send('GET', projectId, `rulesets/${rulesetId}`, options),
    async newestRulesets(projectId, most, options = {}) {
      const rulesets: Ruleset[] = []
      let pageToken = ''
      do {
        const query = `?pageSize=${Math.min(most, 100)}${pageToken === '' ? '' : `&pageToken=${encodeURIComponent(pageToken)}`}`
        const page: { readonly rulesets?: readonly Ruleset[]; readonly nextPageToken?: string } = await send('GET', projectId, `rulesets${query}`, options)
        rulesets.push(...(page.rulesets ?? []))
        pageToken = page.nextPageToken ?? ''
      } while (pageToken !== '' && rulesets.length < most)
      return rulesets.slice(0, most)
    },
    // Google chooses the name: sent twice, it makes two
    createRuleset: (projectId, files, options = {}) => send('POST', projectId, 'rulesets', { ...options, body: { source: { files } }, repeatable: false }),
    deleteRuleset: (projectId, rulesetId, options = {}) => send('DELETE', projectId, `rulesets/${rulesetId}`, options),
    getRelease: (projectId, release, options = {}) => send('GET', projectId, `releases/${release}`, options),
    createRelease: (projectId, release, rulesetName, options = {}) => send('POST', projectId, 'releases', { ...options, body: { name: nameOf(projectId, release), rulesetName } }),
    patchRelease: (projectId, release, rulesetName, options = {}) =>
      send('PATCH', projectId, `releases/${release}`, { ...options, body: { release: { name: nameOf(projectId, release), rulesetName }, updateMask: 'rulesetName' } }),
    deleteRelease: (projectId, release, options = {}) => send('DELETE', projectId, `releases/${release}`, options),
  }
}
