/** Conditions back to the config that gives them. */
import { expect, test } from 'vitest'
import { attributeCondition } from '../../compile/compile.github.ts'
import { parseGithub } from './read-github.ts'

test('every form of the condition is read back', () => {
  for (const github of [
    { repository: 'moshi/server', branch: 'main' },
    { repository: 'moshi/server', repositoryId: '42', branch: 'release/1' },
    { repository: 'moshi/server', repositoryId: '42', branch: 'main', environment: 'production' },
  ]) {
    const { branch, ...rest } = github
    const read = parseGithub({ attributeCondition: attributeCondition(github), description: 'Managed by Kiln (stack moshi-3) for moshi/server' })
    expect(read).toEqual({ ...rest, ...(branch === 'main' ? {} : { branch }) })
  }
})

test('any other condition is not', () => {
  expect(parseGithub({ attributeCondition: "assertion.repository_id == '42'" })).toBeUndefined()
  expect(parseGithub({ attributeCondition: "assertion.repository_id == '42' && assertion.ref == 'refs/heads/main' || true" })).toBeUndefined()
  // with an id, the name is only in the description
  expect(parseGithub({ attributeCondition: "assertion.repository_id == '42' && assertion.ref == 'refs/heads/main'", description: 'mine' })).toBeUndefined()
})
