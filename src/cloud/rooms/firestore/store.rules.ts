/** Rulesets and releases of Firebase Rules. */
import type { Database } from '../../../store/database.ts'

export interface RulesetSource {
  readonly files: readonly { readonly name: string; readonly content: string; readonly fingerprint?: string }[]
}

export interface Ruleset {
  readonly projectId: string
  /** A UUID. */
  readonly rulesetId: string
  readonly createTime: string
  readonly source: RulesetSource
}

export interface Release {
  readonly projectId: string
  /** `cloud.firestore`, `cloud.firestore/DATABASE`, `firebase.storage/BUCKET`. */
  readonly name: string
  /** `projects/P/rulesets/ID`. */
  readonly rulesetName: string
  readonly createTime: string
  readonly updateTime: string
}

interface RulesetRow {
  project_id: string
  ruleset_id: string
  create_time: string
  source: string
}

interface ReleaseRow {
  project_id: string
  name: string
  ruleset_name: string
  create_time: string
  update_time: string
}

export interface RulesStore {
  findRuleset(projectId: string, rulesetId: string): Ruleset | undefined
  /** Newest first. */
  listRulesets(projectId: string): readonly Ruleset[]
  insertRuleset(ruleset: Ruleset): void
  removeRuleset(ruleset: Ruleset): void
  findRelease(projectId: string, name: string): Release | undefined
  /** Sorted by name. */
  listReleases(projectId: string): readonly Release[]
  insertRelease(release: Release): void
  updateRelease(release: Release): void
  removeRelease(release: Release): void
}

export function createRulesStore(database: Database): RulesStore {
  return {
    findRuleset(projectId, rulesetId) {
      const row = database.get<RulesetRow>('SELECT * FROM firestore_rulesets WHERE project_id = ? AND ruleset_id = ?', projectId, rulesetId)
      return row === undefined ? undefined : toRuleset(row)
    },
    listRulesets: (projectId) => database.all<RulesetRow>('SELECT * FROM firestore_rulesets WHERE project_id = ? ORDER BY create_time DESC, ruleset_id', projectId).map(toRuleset),
    insertRuleset: (ruleset) =>
      void database.run('INSERT INTO firestore_rulesets VALUES (?, ?, ?, ?)', ruleset.projectId, ruleset.rulesetId, ruleset.createTime, JSON.stringify(ruleset.source)),
    removeRuleset: (ruleset) => void database.run('DELETE FROM firestore_rulesets WHERE project_id = ? AND ruleset_id = ?', ruleset.projectId, ruleset.rulesetId),
    findRelease(projectId, name) {
      const row = database.get<ReleaseRow>('SELECT * FROM firestore_releases WHERE project_id = ? AND name = ?', projectId, name)
      return row === undefined ? undefined : toRelease(row)
    },
    listReleases: (projectId) => database.all<ReleaseRow>('SELECT * FROM firestore_releases WHERE project_id = ? ORDER BY name', projectId).map(toRelease),
    insertRelease: (release) =>
      void database.run('INSERT INTO firestore_releases VALUES (?, ?, ?, ?, ?)', release.projectId, release.name, release.rulesetName, release.createTime, release.updateTime),
    updateRelease: (release) =>
      void database.run(
        'UPDATE firestore_releases SET ruleset_name = ?, update_time = ? WHERE project_id = ? AND name = ?',
        release.rulesetName,
        release.updateTime,
        release.projectId,
        release.name,
      ),
    removeRelease: (release) => void database.run('DELETE FROM firestore_releases WHERE project_id = ? AND name = ?', release.projectId, release.name),
  }
}

function toRuleset(row: RulesetRow): Ruleset {
  return { projectId: row.project_id, rulesetId: row.ruleset_id, createTime: row.create_time, source: JSON.parse(row.source) as RulesetSource }
}

function toRelease(row: ReleaseRow): Release {
  return { projectId: row.project_id, name: row.name, rulesetName: row.ruleset_name, createTime: row.create_time, updateTime: row.update_time }
}
