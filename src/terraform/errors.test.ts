/** What Google's refusals become. The texts have the form in which the google provider passes them on. */
import { describe, expect, test } from 'vitest'
import { diagnosticError, diagnosticsError } from './errors.ts'

const place = { dir: 'ops/terraform/server', program: 'terraform' }

const cases: readonly (readonly [what: string, summary: string, code: string, hint: RegExp])[] = [
  [
    'a missing permission, in the form of Compute Engine',
    "Error creating Network: googleapi: Error 403: Required 'compute.networks.create' permission for 'projects/p/global/networks/n', forbidden",
    'E_PERMISSION',
    /roles\/compute\.\w+.* \(it holds compute\.networks\.create\)/,
  ],
  [
    'a missing permission, in the form of the newer services',
    "Error creating Repository: googleapi: Error 403: Permission 'artifactregistry.repositories.create' denied on resource '//artifactregistry.googleapis.com/projects/p' (or it may not exist).",
    'E_PERMISSION',
    /roles\/artifactregistry\.admin .*artifactregistry\.repositories\.create/,
  ],
  [
    'a missing permission, in the form of storage',
    'googleapi: Error 403: me@example.com does not have storage.buckets.create access to the Google Cloud project. Permission denied, forbidden',
    'E_PERMISSION',
    /give me@example\.com the role roles\/storage\.admin/,
  ],
  [
    'an API that is not enabled',
    'googleapi: Error 403: Compute Engine API has not been used in project 123 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/compute.googleapis.com/overview?project=123 then retry., accessNotConfigured',
    'E_PERMISSION',
    /gcloud services enable compute\.googleapis\.com/,
  ],
  ['a quota', "Error waiting for instance to create: Quota 'CPUS' exceeded.  Limit: 8.0 in region us-central1.", 'E_QUOTA', /ask for more CPUS/],
  ['a quota of requests', "googleapi: Error 429: Quota exceeded for quota metric 'Queries' and limit, rateLimitExceeded", 'E_QUOTA', /more Queries/],
  ['no machines', 'The zone does not have enough resources available to fulfill the request. ZONE_RESOURCE_POOL_EXHAUSTED', 'E_QUOTA', /another zone/],
  [
    'a closed billing account',
    'googleapi: Error 403: The billing account for the owning project is disabled in state absent, accountDisabled',
    'E_BILLING',
    /gcloud billing projects link/,
  ],
  ['billing that was never linked', 'googleapi: Error 403: This API method requires billing to be enabled. BILLING_DISABLED', 'E_BILLING', /billing accounts list/],
  [
    'something that exists',
    "googleapi: Error 409: The resource 'projects/p/global/addresses/a' already exists, alreadyExists",
    'E_EXISTS',
    /import block for it in ops\/terraform\/server/,
  ],
  ['no credentials', 'Attempted to load application default credentials: could not find default credentials', 'E_PERMISSION', /application-default login/],
  ['expired credentials', 'oauth2: "invalid_grant" "Token has been expired or revoked."', 'E_PERMISSION', /application-default login/],
  ['a cut network', 'Get "https://compute.googleapis.com/compute/v1/projects/p": dial tcp 127.0.0.1:1: connect: connection refused', 'E_NETWORK', /goes on where/],
  ['no provider', 'Failed to query available provider packages', 'E_NETWORK', /mirror/],
  ['a state that could not be saved', 'Failed to save state', 'E_TERRAFORM', /state push errored\.tfstate/],
  ['anything else', 'Unsupported argument', 'E_TERRAFORM', /correct the cause/],
]

describe('a diagnostic', () => {
  for (const [what, summary, code, hint] of cases) {
    test(`${what}`, () => {
      expect(diagnosticError({ severity: 'error', summary, detail: '', range: { filename: 'main.tf', start: { line: 7 } } }, place)).toMatchObject({
        code,
        message: `${summary} (main.tf:7)`,
        hint: expect.stringMatching(hint),
      })
    })
  }

  test('the first of several is told, the others are its detail; warnings do not count', () => {
    const error = diagnosticsError(
      [
        { severity: 'warning', summary: 'Deprecated', detail: '' },
        { severity: 'error', summary: 'googleapi: Error 409: a already exists', detail: '' },
        { severity: 'error', summary: 'Second', detail: '' },
      ],
      place,
      'apply',
    )
    expect(error).toMatchObject({ code: 'E_EXISTS', message: 'googleapi: Error 409: a already exists', detail: 'Second' })
  })

  test('none at all says how to look by hand', () => {
    expect(diagnosticsError([], place, 'storage: plan')).toMatchObject({ code: 'E_TERRAFORM', hint: 'run it by hand: cd ops/terraform/server && terraform plan' })
  })
})
