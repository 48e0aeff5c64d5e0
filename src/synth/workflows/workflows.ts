/**
 * `.github/workflows`: tests on pull requests, delivery on merge, rollback by hand. Google Cloud is reached by OpenID Connect; no key is stored
 * anywhere. Texts of people (titles, branch names, inputs) reach the shell through the environment only.
 */
import { isServerImage, needsPacker } from '../../config/schema.images.ts'
import type { Github } from '../../config/schema.sections.ts'
import { header } from '../file.ts'
import type { SynthFile } from '../file.ts'
import type { SynthInput } from '../input.ts'
import { actions, repositoryVariables } from './actions.ts'

const runner = 'ubuntu-24.04'
const kiln = 'npx --no-install kiln'

/** Workflows of a stack with a `github` section; none without. */
export function workflowFiles(input: SynthInput): readonly SynthFile[] {
  const { github, server } = input.config
  if (github === undefined) return []
  return [
    workflow('test', testWorkflow(input)),
    workflow('deliver', deliverWorkflow(input, github)),
    // without a group there is nothing that could be rolled back
    ...(server === undefined ? [] : [workflow('rollback', rollbackWorkflow(github.environment))]),
  ]
}

function workflow(name: string, text: string): SynthFile {
  return { path: `.github/workflows/${name}.yml`, text: `${header()}${text}`, mode: 0o644 }
}

function use(action: { readonly use: string; readonly version: string }): string {
  return `uses: ${action.use} # ${action.version}`
}

/** The code, Node, and Kiln at the version of package-lock.json. */
const checkout = `      - ${use(actions.checkout)}
        with:
          persist-credentials: false
      - ${use(actions.setupNode)}
        with:
          node-version: '24'
          package-manager-cache: false
      - run: npm ci`

/** Google Cloud, as the account of the repository's variables. */
const signIn = `      - name: Sign in to Google Cloud
        ${use(actions.googleAuth)}
        with:
          workload_identity_provider: \${{ vars.${repositoryVariables.provider} }}
          service_account: \${{ vars.${repositoryVariables.account} }}`

function testWorkflow({ config }: SynthInput): string {
  return `name: test
run-name: Test of \${{ github.head_ref || github.ref_name }}

on:
  pull_request:
  workflow_dispatch:

permissions:
  contents: read

concurrency:
  group: test-\${{ github.ref }}
  cancel-in-progress: true

jobs:
  unit:
    runs-on: ${runner}
    timeout-minutes: 15
    steps:
${checkout}
      - name: The generated files are those of the config
        run: ${kiln} synth --check
      - name: Tests of the package
        run: make test

  pocket-cloud:
    name: The whole stack on the pocket cloud, with real VMs
    runs-on: ${runner}
    timeout-minutes: 60
    steps:
${checkout}
      - name: Install what is missing, from Debian's packages
        run: ${kiln} doctor --install
      - name: Publish, bake, boot${config.server === undefined ? '' : ', serve'}
        run: ${kiln} up --yes
`
}

function deliverWorkflow({ config }: SynthInput, { branch, environment }: Github): string {
  const python = Object.values(config.images).some((image) => isServerImage(image) && image.python.length > 0)
  const publish = python ? step('Publish', 'publish --target gcp --yes') : ''
  const deploy = config.server === undefined ? '' : step('Deploy, behind health gates', 'deploy --target gcp --yes')
  return `name: deliver

on:
  push:
    branches: [${JSON.stringify(branch)}]

permissions:
  contents: read

# One after the other, and never in the middle of another: a delivery that has begun is finished.
concurrency:
  group: deliver
  cancel-in-progress: false

jobs:
  deliver:
    runs-on: ${runner}
    timeout-minutes: 90
${inEnvironment(environment)}    permissions:
      contents: read
      id-token: write
    steps:
${checkout}
      - name: Install what is missing, from Debian's packages
        run: ${kiln} doctor --install
${
  needsPacker(config.images)
    ? `      - ${use(actions.setupPacker)}
`
    : ''
}${signIn}
${publish}${step('Bake, boot test, promote', 'bake --target gcp --yes')}${deploy}${step('Verify', 'status --target gcp --healthy')}`
}

function rollbackWorkflow(environment: string | undefined): string {
  return `name: rollback
run-name: Rollback to \${{ inputs.release || 'the release before' }}

on:
  workflow_dispatch:
    inputs:
      release:
        description: Number of the release to go back to; empty for the one before
        required: false
        type: number

permissions:
  contents: read

# The group of the deliveries: never at the same time as one.
concurrency:
  group: deliver
  cancel-in-progress: false

jobs:
  rollback:
    runs-on: ${runner}
    timeout-minutes: 30
${inEnvironment(environment)}    permissions:
      contents: read
      id-token: write
    steps:
${checkout}
${signIn}
      - name: Roll back
        env:
          RELEASE: \${{ inputs.release }}
        run: ${kiln} rollback \${RELEASE:+"$RELEASE"} --target gcp --yes
${step('Verify', 'status --target gcp --healthy')}`
}

/** The environment whose reviewers GitHub asks, and that the token must come from. */
function inEnvironment(environment: string | undefined): string {
  return environment === undefined ? '' : `    environment: ${JSON.stringify(environment)}\n`
}

function step(name: string, verb: string): string {
  return `      - name: ${name}
        run: ${kiln} ${verb}
`
}
