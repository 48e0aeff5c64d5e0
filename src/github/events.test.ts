import { expect, test } from 'vitest'
import { judgeEvent } from './events.ts'
import type { Verdict } from './events.ts'
import { pullRequestPayload, pushPayload } from './testing.ts'

const nowMs = Date.now()
const judge = (event: string, payload: unknown): Verdict => judgeEvent({ event, payload, repository: 'moshi/moshi', branch: 'main', nowMs })

test('a push to the branch is delivered', () => {
  expect(judge('push', pushPayload())).toEqual({ outcome: 'deliver', commit: 'a'.repeat(40), subject: 'Version 0.2.0', who: 'ada', forced: false })
  expect(judge('push', pushPayload({ forced: true }))).toMatchObject({ outcome: 'deliver', forced: true })
  expect(judge('push', pushPayload({ repository: { full_name: 'Moshi/MOSHI', pushed_at: new Date(nowMs).toISOString() } }))).toMatchObject({ outcome: 'deliver' })
})

test('a pull request merged into the branch is delivered', () => {
  expect(judge('pull_request', pullRequestPayload())).toEqual({ outcome: 'deliver', commit: 'c'.repeat(40), subject: 'Faster (#7)', who: 'ada', forced: false })
})

const hour = 3600
const seconds = Math.floor(nowMs / 1000)
const others: readonly [title: string, event: string, payload: unknown, outcome: 'ignored' | 'refused', reason: RegExp][] = [
  ['ping', 'ping', { zen: 'Keep it logically awesome.' }, 'ignored', /set up/],
  ['an unknown event', 'sponsorship', {}, 'ignored', /"sponsorship"/],
  ['another branch', 'push', pushPayload({ ref: 'refs/heads/dev' }), 'ignored', /refs\/heads\/dev/],
  ['a branch whose name ends alike', 'push', pushPayload({ ref: 'refs/heads/x/main' }), 'ignored', /x\/main/],
  ['a tag of the same name', 'push', pushPayload({ ref: 'refs/tags/main' }), 'ignored', /refs\/tags/],
  ['a deleted branch', 'push', pushPayload({ after: '0'.repeat(40), deleted: true }), 'ignored', /deleted/],
  ['another repository', 'push', pushPayload({ repository: { full_name: 'evil/moshi', pushed_at: seconds } }), 'refused', /evil\/moshi/],
  ['an old push', 'push', pushPayload({ repository: { full_name: 'moshi/moshi', pushed_at: seconds - 2 * hour } }), 'refused', /hour ago/],
  ['a push of tomorrow', 'push', pushPayload({ repository: { full_name: 'moshi/moshi', pushed_at: seconds + 2 * hour } }), 'refused', /hour ahead/],
  ['a push without a time', 'push', pushPayload({ repository: { full_name: 'moshi/moshi' } }), 'refused', /when/],
  ['a commit that is none', 'push', pushPayload({ after: '--upload-pack=touch /tmp/x' }), 'refused', /after/],
  ['no payload', 'push', null, 'refused', /as GitHub sends it/],
  ['a list', 'push', [], 'refused', /as GitHub sends it/],
  ['an opened pull request', 'pull_request', pullRequestPayload({}, { action: 'opened' }), 'ignored', /opened/],
  ['one closed without a merge', 'pull_request', pullRequestPayload({ merged: false }), 'ignored', /without a merge/],
  ['one merged into another branch', 'pull_request', pullRequestPayload({ base: { ref: 'dev' } }), 'ignored', /into dev/],
  ['one merged long ago', 'pull_request', pullRequestPayload({ merged_at: new Date(nowMs - 2 * hour * 1000).toISOString() }), 'refused', /hour ago/],
  ['one of another repository', 'pull_request', pullRequestPayload({}, { repository: { full_name: 'evil/moshi' } }), 'refused', /evil/],
  ['one without its commit', 'pull_request', pullRequestPayload({ merge_commit_sha: null }), 'refused', /merge commit/],
]
test.each(others)('%s is not', (_title, event, payload, outcome, reason) => {
  expect(judge(event, payload)).toMatchObject({ outcome, reason: expect.stringMatching(reason) })
})
