/**
 * Firebase Rules: sources are kept and released, never evaluated: who calls with credentials of Google Cloud is not subject to them.
 * https://firebase.google.com/docs/reference/rules/rest
 */
import { randomUUID } from 'node:crypto'
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { RulesetBody } from './schema.ts'
import type { Release, Ruleset, RulesStore } from './store.rules.ts'

export const RULES_SERVICE = 'firebaserules.googleapis.com'

export interface RulesService {
  /** @throws ApiError 400 for a source that is no rules file */
  createRuleset(project: string, body: RulesetBody): Ruleset
  /** @throws ApiError 404 */
  getRuleset(project: string, rulesetId: string): Ruleset
  /** Newest first. */
  listRulesets(project: string): readonly Ruleset[]
  /** @throws ApiError 404, 400 while a release uses it */
  removeRuleset(project: string, rulesetId: string): void
  /** @throws ApiError 400, 404 for an unknown ruleset, 409 */
  createRelease(project: string, name: string | null | undefined, rulesetName: string | null | undefined): Release
  /** @throws ApiError 404 */
  getRelease(project: string, name: string): Release
  listReleases(project: string): readonly Release[]
  /** @throws ApiError 400, 404 */
  changeRelease(project: string, name: string, rulesetName: string | null | undefined): Release
  /** @throws ApiError 404 */
  removeRelease(project: string, name: string): void
}

export function createRulesService(kernel: Kernel, store: RulesStore): RulesService {
  const { database, projects } = kernel

  /** This host belongs to a service of its own, which the project must have enabled. */
  function projectIdOf(project: string): string {
    const { projectId } = projects.requireActive(project, RULES_SERVICE)
    projects.requireService(projectId, RULES_SERVICE)
    return projectId
  }

  function getRuleset(project: string, rulesetId: string): Ruleset {
    const ruleset = store.findRuleset(projectIdOf(project), rulesetId)
    if (ruleset === undefined) throw notFound('Requested entity was not found.')
    return ruleset
  }

  function getRelease(project: string, name: string): Release {
    const release = store.findRelease(projectIdOf(project), name)
    if (release === undefined) throw notFound('Requested entity was not found.')
    return release
  }

  function checkRulesetName(projectId: string, name: string | null | undefined): string {
    const [, project = '', rulesetId = ''] = /^projects\/([^/]+)\/rulesets\/([^/]+)$/.exec(name ?? '') ?? []
    if (rulesetId === '') throw invalidArgument(`Invalid ruleset name: ${name ?? ''}`)
    if (projects.find(project)?.projectId !== projectId || store.findRuleset(projectId, rulesetId) === undefined) throw notFound('Requested entity was not found.')
    return `projects/${projectId}/rulesets/${rulesetId}`
  }

  return {
    createRuleset(project, body) {
      const files = (body.source?.files ?? []).map(({ name, content, fingerprint }) => ({
        name: name ?? '',
        content,
        ...(typeof fingerprint === 'string' && fingerprint !== '' ? { fingerprint } : {}),
      }))
      if (files.length === 0) throw invalidArgument('Ruleset source must have at least one file.')
      for (const file of files) checkSource(file.name, file.content)
      const ruleset: Ruleset = { projectId: projectIdOf(project), rulesetId: randomUUID(), createTime: new Date().toISOString(), source: { files } }
      store.insertRuleset(ruleset)
      return ruleset
    },
    getRuleset,
    listRulesets: (project) => store.listRulesets(projectIdOf(project)),
    removeRuleset(project, rulesetId) {
      const ruleset = getRuleset(project, rulesetId)
      const name = `projects/${ruleset.projectId}/rulesets/${rulesetId}`
      if (store.listReleases(ruleset.projectId).some((release) => release.rulesetName === name)) throw failedPrecondition('Ruleset cannot be deleted: a Release refers to it.')
      store.removeRuleset(ruleset)
    },
    createRelease(project, fullName, rulesetName) {
      const projectId = projectIdOf(project)
      const name = /^projects\/[^/]+\/releases\/([A-Za-z0-9._/()-]+)$/.exec(fullName ?? '')?.[1]
      if (name === undefined) throw invalidArgument(`Invalid release name: ${fullName ?? ''}`)
      return database.transaction(() => {
        if (store.findRelease(projectId, name) !== undefined) throw alreadyExists('Requested entity already exists')
        const now = new Date().toISOString()
        const release: Release = { projectId, name, rulesetName: checkRulesetName(projectId, rulesetName), createTime: now, updateTime: now }
        store.insertRelease(release)
        return release
      })
    },
    getRelease,
    listReleases: (project) => store.listReleases(projectIdOf(project)),
    changeRelease(project, name, rulesetName) {
      return database.transaction(() => {
        const release = getRelease(project, name)
        const changed: Release = { ...release, rulesetName: checkRulesetName(release.projectId, rulesetName), updateTime: new Date().toISOString() }
        store.updateRelease(changed)
        return changed
      })
    },
    removeRelease: (project, name) => store.removeRelease(getRelease(project, name)),
  }
}

/** The services that the rules are for: `cloud.firestore`. */
export function servicesOf(ruleset: Ruleset): readonly string[] {
  return [...new Set(ruleset.source.files.flatMap((file) => [...withoutComments(file.content).matchAll(/\bservice\s+([\w.]+)\s*\{/g)].map((match) => match[1] ?? '')))]
}

/** Finds what no rules file may have: brackets that do not match, no service. The grammar of conditions is not checked. @throws ApiError 400 with the line */
function checkSource(name: string, content: string): void {
  const text = withoutComments(content)
  const open: string[] = []
  const closing: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' }
  let line = 1
  for (const character of text) {
    if (character === '\n') line += 1
    const close = closing[character]
    if (close !== undefined) open.push(close)
    else if (['}', ')', ']'].includes(character) && open.pop() !== character) throw invalidArgument(`Syntax error in rules file ${name}, line ${line}: unexpected '${character}'.`)
  }
  const missing = open.pop()
  if (missing !== undefined) throw invalidArgument(`Syntax error in rules file ${name}, line ${line}: missing '${missing}' at the end.`)
  if (!/\bservice\s+[\w.]+\s*\{/.test(text)) throw invalidArgument(`Syntax error in rules file ${name}: there is no 'service NAME { … }' in it.`)
}

/** Comments and strings become blanks; line breaks stay. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, (match) => match.replace(/[^\n]/g, ' '))
}
