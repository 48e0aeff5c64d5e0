/** What a repository must know, from the config and what was made. */
import { expect, test } from 'vitest'
import { parseStack } from '../../config/checks.ts'
import { repositorySettings, setUpRepository } from './github.ts'

const config = parseStack({
  project: { id: 'stack-one' },
  location: { region: 'us-central1' },
  images: { python3: { debian: 'bookworm' } },
  github: { repository: 'owner/repo', branch: 'trunk' },
})
const name = 'projects/1/locations/global/workloadIdentityPools/kiln-github/providers/actions'
const attributes = new Map([['workload-identity-provider/actions', { name }] as const])

test('nothing without the section, or before the provider is there', () => {
  expect(repositorySettings({ ...config, github: undefined }, attributes, {})).toBeUndefined()
  expect(repositorySettings(config, new Map(), {})).toBeUndefined()
})

test('without a token the commands are told, and no secret is among them', async () => {
  const settings = repositorySettings(config, attributes, { KILN_GITHUB_SECRET_API_KEY: 'very secret', OTHER: 'x' })
  expect(settings).toMatchObject({ branch: 'trunk', variables: { KILN_WORKLOAD_IDENTITY_PROVIDER: name }, secrets: { API_KEY: 'very secret' } })
  if (settings === undefined) return
  const notes: string[] = []
  expect(await setUpRepository(settings, {}, (text) => void notes.push(text))).toBe(0)
  expect(notes.join()).toContain(`gh variable set KILN_WORKLOAD_IDENTITY_PROVIDER --repo owner/repo --body '${name}'`)
  expect(notes.join()).toContain('gh secret set API_KEY --repo owner/repo')
  expect(notes.join()).not.toContain('very secret')
})
