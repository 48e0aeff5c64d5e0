/** `Makefile`: the runbook's targets, each one call. */
import { isServerImage } from '../../config/schema.images.ts'
import { header } from '../file.ts'
import type { SynthFile } from '../file.ts'
import type { SynthInput } from '../input.ts'

/** One target: its name, what it is for, and its lines. */
export interface Target {
  readonly name: string
  readonly needs?: readonly string[]
  readonly help: string
  readonly lines: readonly string[]
}

/** The stack's Makefile. */
export function makefile(input: SynthInput): SynthFile {
  const { config } = input
  const images = Object.entries(config.images)
  const bases = images.filter(([, image]) => !isServerImage(image)).map(([name]) => name)
  const servers = images.filter(([, image]) => isServerImage(image)).map(([name]) => name)
  const verb = (words: string): string => `$(KILN) ${words}$(on)`
  const targets: readonly Target[] = [
    { name: 'auth', help: 'sign in to Google Cloud, as yourself and for programs', lines: authLines(config.project.id) },
    buildTarget(config.package.source),
    { name: 'publish', help: 'build the wheel and upload it to the private index', lines: [verb('publish --yes')] },
    { name: 'bake-base', help: `the base image${bases.length === 1 ? '' : 's'}: ${bases.join(', ')}`, lines: bases.map((name) => verb(`bake ${name} --yes`)) },
    { name: 'bake', help: `the server image${servers.length === 1 ? '' : 's'}: ${servers.join(', ')}`, lines: servers.map((name) => verb(`bake ${name} --yes`)) },
    { name: 'cycle', needs: ['publish', 'bake', 'dev'], help: 'publish, bake, and the dev VM from the new image', lines: [] },
    { name: 'dev', help: 'the dev VM from the newest image', lines: [verb('dev --yes')] },
    testTarget(config.package.source),
    { name: 'healthcheck', help: 'fails unless the server is well', lines: [verb('status --healthy')] },
    { name: 'plan', help: 'what `up` would change', lines: [verb('plan')] },
    { name: 'up', help: 'everything, in order; safe to repeat', lines: [verb('up')] },
    ...(config.server === undefined
      ? []
      : [
          { name: 'deploy', help: 'roll the newest image out, behind health gates', lines: [verb('deploy --yes')] },
          { name: 'rollback', help: 'back to the release before, or to RELEASE', lines: [verb('rollback $(RELEASE) --yes')] },
        ]),
    { name: 'synth', help: 'write this file, ops/ and the workflows anew', lines: ['$(KILN) synth'] },
  ]
  const text = `${header()}# Each target is one call. The same with Terraform, Packer, twine and gcloud: make -f ops/tools.mk help
KILN ?= npx --no-install kiln
# pocket: the pocket cloud of this machine; gcp: Google Cloud
TARGET ?= pocket
on := $(if $(filter gcp,$(TARGET)), --target gcp)

${printTargets(targets)}`
  return { path: 'Makefile', text, mode: 0o644 }
}

export function buildTarget(source: string): Target {
  return { name: 'build', help: 'the wheel, in dist/', lines: [`$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist ${source}`] }
}

export function testTarget(source: string): Target {
  return { name: 'test', help: 'the tests of the package', lines: [`cd ${source} && PYTHONPATH=src $(PYTHON) -m unittest discover -s tests`] }
}

export function authLines(project: string): readonly string[] {
  return ['gcloud auth login', 'gcloud auth application-default login', `gcloud config set project ${project}`]
}

/** `help` comes first, so that it is what a bare `make` does. */
export function printTargets(targets: readonly Target[]): string {
  const help = `.DEFAULT_GOAL := help
.PHONY: help ${targets.map(({ name }) => name).join(' ')}

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\\t/' | expand -t 14
`
  const rules = targets.map(({ name, needs = [], help: what, lines }) => `${[`${name}:`, ...needs].join(' ')} ## ${what}\n${lines.map((line) => `\t${line}\n`).join('')}`)
  return `PYTHON ?= python3\n\n${[help, ...rules].join('\n')}`
}
