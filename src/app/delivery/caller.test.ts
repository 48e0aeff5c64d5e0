import { userInfo } from 'node:os'
import { expect, test } from 'vitest'
import { callerOf } from './caller.ts'

test('on a machine it is its user; a variable alone makes nobody else of it', () => {
  expect(callerOf({})).toEqual({ who: userInfo().username, commit: undefined })
  expect(callerOf({ GITHUB_ACTOR: 'octo', GITHUB_SHA: 'abc' })).toEqual({ who: userInfo().username, commit: undefined })
})

test('in a workflow it is whoever made it run, with the commit', () => {
  const env = { GITHUB_ACTIONS: 'true', GITHUB_ACTOR: 'octo', GITHUB_REPOSITORY: 'moshi/server', GITHUB_RUN_NUMBER: '7', GITHUB_WORKFLOW: 'deliver', GITHUB_SHA: 'abc' }
  expect(callerOf(env)).toEqual({ who: 'octo (moshi/server, run 7 of deliver)', commit: 'abc' })
  expect(callerOf({ ...env, GITHUB_SHA: '' }).commit).toBeUndefined()
})
