/** What the parts of the compilation share: its input, and how resources and their addresses are formed. */
import { basename, resolve } from 'node:path'
import type { StackConfig } from '../config/schema.ts'
import type { Address, DesiredResource } from '../engine/types.ts'
import { managedByLabel, stackLabel } from '../resources/resource.ts'
import type { StackFacts } from './facts.ts'
import { labelValue } from './names.ts'

/** What every part of the compilation sees. */
export interface Compilation {
  readonly config: StackConfig
  readonly facts: StackFacts
  readonly projectId: string
  /** Labels for everything that has labels. */
  readonly labels: Readonly<Record<string, string>>
  /** For things without labels. */
  readonly description: string
}

/** One resource in the list's form. */
export function resource(kind: string, name: string, props: Readonly<Record<string, unknown>>, dependsOn: readonly Address[]): DesiredResource {
  return { address: `${kind}/${name}`, kind, props, dependsOn }
}

/** The API that must be on before a resource can be made. */
export function serviceAddress(api: string): Address {
  return `service/${api}`
}

/** The address of the stack's Python package. */
export function packageAddress(config: StackConfig, facts: StackFacts): Address {
  return `python-package/${facts.packageName ?? basename(resolve(facts.stackDir, config.package.source))}`
}

/** The address of the stack's Python repository. */
export function repositoryAddress(config: StackConfig): Address {
  return `artifact-repository/${config.package.repository}`
}

/** What is put on everything that Kiln makes. */
export function stackWords(config: StackConfig, facts: StackFacts): Pick<Compilation, 'labels' | 'description'> {
  const stack = labelValue(facts.stack ?? config.project.id)
  return { labels: { [managedByLabel]: 'kiln', [stackLabel]: stack }, description: `Managed by Kiln (stack ${stack})` }
}
