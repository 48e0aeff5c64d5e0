/**
 * `ops/terraform`: one root module that calls one module per component, so that everything is one plan and one state, and reads part by part.
 */
import { KilnError } from '../../base/errors.ts'
import { stateBucketName } from '../../compile/names.ts'
import type { DesiredResource } from '../../engine/types.ts'
import { header } from '../file.ts'
import type { SynthFile } from '../file.ts'
import { printHcl } from '../hcl/print.ts'
import { attribute, block, call, expression, gap, template } from '../hcl/syntax.ts'
import type { Item, Value } from '../hcl/syntax.ts'
import { importsOf } from './imports.ts'
import { declaration, imageVariable, moduleOf, outputOf, outputsOf, sitesOf, variableDeclarations, variablesOf } from './module.ts'
import type { Module } from './module.ts'
import { components } from './places.ts'
import type { ComponentName } from './places.ts'
import { mapResources } from './stack.ts'
import type { Shared } from './stack.ts'

/** Terraform and provider as they are tried in conformance. The lock file that `terraform init` writes pins the exact provider. */
export const terraformVersions = { terraform: '>= 1.5', google: '~> 8.0' } as const

/** Variables of the root where a group serves: there the development VM is on demand. */
export const devVariables = { isThere: 'dev', image: 'dev_image' } as const

const folder = 'ops/terraform'

export interface TerraformInput extends Shared {
  readonly desired: readonly DesiredResource[]
  readonly stackDir: string
  /** Write `imports.tf`, by which Terraform takes over what exists. */
  readonly imports: boolean
}

/** All files of `ops/terraform`. */
export function terraformFiles(input: TerraformInput): readonly SynthFile[] {
  const { blocks, left } = mapResources(input.desired, input)
  const sites = sitesOf(blocks)
  const used = Object.keys(components).filter((name): name is ComponentName => blocks.some((one) => one.component === name))
  const modules = used.map((name) => moduleOf(name, blocks, sites, input.stackDir))
  refuseCircles(modules)
  const taken = modules.flatMap((module) => module.takes)
  const families = [...new Set(modules.flatMap((module) => [...module.images]))].sort()
  const outputs = blocks.flatMap((one) => {
    const output = outputOf(one)
    return output === undefined
      ? []
      : [
          block(
            'output',
            [output.name],
            [
              attribute('description', output.description),
              attribute('value', expression(isOnDemand(one.component, input) ? `one(module.${one.component}[*].${output.name})` : `module.${one.component}.${output.name}`)),
            ],
          ),
        ]
  })
  const notes = left.map(({ address, why }) => `# Not here: ${address}; ${why}.\n`).join('')
  const root = [
    file('main.tf', mainItems(modules, families, input), notes),
    file('versions.tf', rootVersions(blocks.some((one) => one.type.startsWith('google_identity_platform_')))),
    file('variables.tf', rootVariables(families, input)),
    file('terraform.tfvars', [attribute('project', input.config.project.id), attribute('region', input.config.location.region), attribute('zone', input.config.location.zone)]),
    file('state.gcs.tfbackend', [attribute('bucket', stateBucketName(input.config.project.id)), attribute('prefix', 'terraform')]),
    file('outputs.tf', outputs),
    ...(input.imports
      ? [
          file(
            'imports.tf',
            importsOf(blocks.filter((one) => !isOnDemand(one.component, input))),
            '# Delete the blocks of what does not exist yet, and the file when the first apply has gone through.\n',
          ),
        ]
      : []),
  ]
  return [
    ...root,
    ...modules.flatMap((module) =>
      moduleFiles(
        module,
        outputsOf(
          module.component,
          blocks,
          taken.filter((wire) => wire.from === module.component),
        ),
      ),
    ),
  ]
}

function moduleFiles(module: Module, outputs: readonly Item[]): readonly SynthFile[] {
  const { component } = module
  const variables = variablesOf(module)
  return [
    file(`${component}/main.tf`, module.resources, `# ${components[component]}\n`),
    ...(variables.length === 0 ? [] : [file(`${component}/variables.tf`, variables)]),
    ...(outputs.length === 0 ? [] : [file(`${component}/outputs.tf`, outputs)]),
    file(`${component}/versions.tf`, [block('terraform', [], requirements())]),
  ]
}

function file(name: string, items: readonly Item[], notes = ''): SynthFile {
  return { path: `${folder}/${name}`, text: `${header()}${notes}\n${printHcl(items)}`, mode: 0o644 }
}

function requirements(): readonly Item[] {
  return [
    attribute('required_version', terraformVersions.terraform),
    block('required_providers', [], [attribute('google', { source: 'hashicorp/google', version: terraformVersions.google })]),
  ]
}

/** Identity Platform wants to know whose quota a person's calls count against. */
function rootVersions(namesQuota: boolean): readonly Item[] {
  const quota = namesQuota ? [attribute('billing_project', expression('var.project')), attribute('user_project_override', true)] : []
  return [
    block('terraform', [], [...requirements(), block('backend', ['gcs'], [], 'Bucket and prefix: terraform init -backend-config=state.gcs.tfbackend')]),
    block(
      'provider',
      ['google'],
      [
        attribute('project', expression('var.project')),
        attribute('region', expression('var.region')),
        attribute('zone', expression('var.zone')),
        ...quota,
        gap,
        // labels are the config's alone
        attribute('add_terraform_attribution_label', false),
      ],
    ),
  ]
}

/** Where a group serves, the development VM is only there when somebody asks for it. */
export function isOnDemand(component: ComponentName, { desired }: Pick<TerraformInput, 'desired'>): boolean {
  return component === 'dev' && desired.some((one) => one.kind === 'instance-group')
}

function rootVariables(families: readonly string[], input: TerraformInput): readonly Item[] {
  const shared = variableDeclarations.filter(([name]) => name === 'project' || name === 'region' || name === 'zone')
  return [
    ...shared.map(([name, type, description]) => declaration(name, type, description)),
    ...families.map((family) =>
      declaration(imageVariable(family), 'string', `Image that new VMs of ${family} begin with, such as projects/P/global/images/NAME. Default: the newest of its family`, [
        attribute('default', null),
      ]),
    ),
    ...(input.desired.some((one) => one.kind === 'instance') && isOnDemand('dev', input)
      ? [
          declaration(devVariables.isThere, 'bool', 'Whether the development VM is there: kiln dev makes it', [attribute('default', false)]),
          declaration(devVariables.image, 'string', 'Image that the development VM begins with. Default: the one that new VMs of its family begin with', [
            attribute('default', null),
          ]),
        ]
      : []),
  ]
}

function mainItems(modules: readonly Module[], families: readonly string[], input: TerraformInput): readonly Item[] {
  const images = families.map((family) =>
    attribute(
      imageVariable(family),
      call('coalesce', expression(`var.${imageVariable(family)}`), template('projects/', expression('var.project'), `/global/images/family/${family}`)),
    ),
  )
  const locals = block('locals', [], [attribute('description', input.description), ...images, attribute('labels', input.labels)])
  return [locals, ...modules.map((module) => moduleCall(module, isOnDemand(module.component, input)))]
}

function moduleCall(module: Module, onDemand: boolean): Item {
  const local = (name: string): boolean => name === 'labels' || name === 'description'
  const shared = variableDeclarations.filter(([name]) => module.variables.has(name)).map(([name]) => attribute(name, expression(`${local(name) ? 'local' : 'var'}.${name}`)))
  const image = (family: string): Value => {
    const common = expression(`local.${imageVariable(family)}`)
    return onDemand ? call('coalesce', expression(`var.${devVariables.image}`), common) : common
  }
  const images = [...module.images].sort().map((family) => attribute(imageVariable(family), image(family)))
  const wires = module.takes.map((wire) => attribute(wire.name, expression(`module.${wire.from}.${wire.name}`)))
  const after = [...module.after].map((name) => `module.${name}`).sort()
  return block(
    'module',
    [module.component],
    [
      attribute('source', `./${module.component}`),
      ...(onDemand ? [attribute('count', expression(`var.${devVariables.isThere} ? 1 : 0`))] : []),
      gap,
      ...shared,
      ...images,
      ...wires,
      ...(after.length === 0
        ? []
        : [
            gap,
            attribute(
              'depends_on',
              after.map((name) => expression(name)),
            ),
          ]),
    ],
  )
}

/** `depends_on` of a module waits for all of the other one: two that wait for each other would never begin. */
function refuseCircles(modules: readonly Module[]): void {
  const needs = new Map(modules.map((module) => [module.component, new Set([...module.after, ...module.takes.map((wire) => wire.from)])]))
  const reaches = (from: ComponentName, to: ComponentName, seen = new Set<ComponentName>()): boolean => {
    for (const next of needs.get(from) ?? []) {
      if (next === to) return true
      if (seen.has(next)) continue
      seen.add(next)
      if (reaches(next, to, seen)) return true
    }
    return false
  }
  for (const module of modules) {
    for (const other of module.after) {
      if (reaches(other, module.component)) throw new KilnError('E_PLAN', `the Terraform components ${module.component} and ${other} wait for each other`)
    }
  }
}
