/** One component as a Terraform module: what it makes, what it takes, what it gives. */
import { relative } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { attribute, block, call, expression, gap, template } from '../hcl/syntax.ts'
import type { Expression, Item, Value } from '../hcl/syntax.ts'
import type { Address } from '../../engine/types.ts'
import { terraformLabel } from './stack.ts'
import type { Part, Reference, ResourceBlock, Tree, VariableName } from './stack.ts'
import type { ComponentName } from './places.ts'

/** A value that one component gives and another takes. Both call it by this name. */
export interface Wire {
  readonly from: ComponentName
  readonly name: string
  readonly expression: string
  readonly description: string
}

export interface Module {
  readonly component: ComponentName
  readonly resources: readonly Item[]
  readonly variables: ReadonlySet<VariableName>
  /** Families whose image it takes. */
  readonly images: ReadonlySet<string>
  readonly takes: readonly Wire[]
  /** Components that must be done before, beside those that `takes` names. */
  readonly after: ReadonlySet<ComponentName>
}

/** Where a block is found. */
export interface Site {
  readonly block: ResourceBlock
  /** `google_storage_bucket.images`, with the key of a `for_each`. */
  readonly address: string
}

/** All blocks by the address of each desired resource in them. */
export function sitesOf(blocks: readonly ResourceBlock[]): ReadonlyMap<Address, Site> {
  const sites = new Map<Address, Site>()
  for (const block of blocks) {
    for (const { resource, key } of block.members) {
      sites.set(resource.address, { block, address: `${block.type}.${block.label}${key === undefined ? '' : `[${JSON.stringify(key)}]`}` })
    }
  }
  return sites
}

/** Arguments that are blocks although a kind's mapping gives them as one object. */
const singleBlocks: ReadonlySet<string> = new Set(['lifecycle', 'replication', 'auto', 'oidc', 'versioning', 'source', 'sign_in', 'email', 'phone_number', 'anonymous'])

/** Bare words of `lifecycle`: traversals, not strings. */
const bareArguments: ReadonlySet<string> = new Set(['ignore_changes', 'replace_triggered_by'])

/** The module of a component. `stackDir` is the stack's folder, from which files are named relatively. */
export function moduleOf(component: ComponentName, blocks: readonly ResourceBlock[], sites: ReadonlyMap<Address, Site>, stackDir: string): Module {
  const variables = new Set<VariableName>()
  const images = new Set<string>()
  const takes = new Map<string, Wire>()
  const after = new Set<ComponentName>()
  /** Blocks that the current one refers to. */
  let referred = new Set<ResourceBlock>()

  function refer({ to, attribute: name }: Reference): string {
    const site = sites.get(to)
    if (site === undefined) throw new KilnError('E_PLAN', `the component ${component} refers to ${to}, which Terraform does not make`)
    referred.add(site.block)
    if (site.block.component === component) return `${site.address}.${name}`
    const wire = { from: site.block.component, name: `${site.block.label}_${name}`, expression: `${site.address}.${name}`, description: describe(site.block, name) }
    takes.set(wire.name, wire)
    return `var.${wire.name}`
  }

  function resolved(part: Exclude<Part, string>): Expression {
    if ('variable' in part) {
      variables.add(part.variable)
      return expression(`var.${part.variable}`)
    }
    if ('image' in part) {
      images.add(part.image)
      return expression(`var.${imageVariable(part.image)}`)
    }
    return expression(refer(part.reference))
  }

  function value(tree: Tree): Value {
    switch (tree.is) {
      case 'plain':
        return tree.value
      case 'text':
        return template(...tree.parts.map((part) => (typeof part === 'string' ? part : resolved(part))))
      case 'upper':
        return call('upper', value(tree.of))
      case 'merge':
        variables.add(tree.variable)
        return call('merge', expression(`var.${tree.variable}`), tree.more)
      case 'file':
        return template(expression('path.module'), `/../../../${relative(stackDir, tree.path).replaceAll('\\', '/')}`)
      case 'list':
        return tree.items.map(value)
      case 'map':
        return Object.fromEntries(tree.entries.map(([key, member]) => [key, value(member)]))
    }
  }

  function item(name: string, tree: Tree): readonly Item[] {
    if (tree.is === 'map' && tree.entries.length === 0 && !singleBlocks.has(name)) return []
    if (tree.is === 'list' && tree.items.length > 0 && tree.items.every((each) => each.is === 'map')) return tree.items.flatMap((each) => nested(name, each))
    if (tree.is === 'map' && singleBlocks.has(name)) return nested(name, tree)
    if (bareArguments.has(name)) return [attribute(name, bare(tree))]
    return [attribute(name, value(tree))]
  }

  function nested(name: string, tree: Tree): readonly Item[] {
    return tree.is === 'map' ? [block(name, [], ordered(tree.entries.flatMap(([key, member]) => item(key, member))))] : []
  }

  function resource(one: ResourceBlock): Item {
    referred = new Set()
    const body: Item[] = []
    const keys = one.members.flatMap(({ key }) => key ?? [])
    if (one.forEach !== undefined) body.push(attribute('for_each', call('toset', keys)), gap)
    for (const [name, tree] of one.body) body.push(...(name === one.forEach ? [attribute(name, expression('each.value'))] : item(name, tree)))
    const waits = new Set<string>()
    for (const address of one.members.flatMap((member) => member.resource.dependsOn)) {
      const site = sites.get(address)
      if (site === undefined || site.block === one || referred.has(site.block)) continue
      if (site.block.component === component) waits.add(`${site.block.type}.${site.block.label}`)
      else after.add(site.block.component)
    }
    const rest =
      waits.size === 0
        ? []
        : [
            gap,
            attribute(
              'depends_on',
              [...waits].map((address) => expression(address)),
            ),
          ]
    return block('resource', [one.type, one.label], [...ordered(body), ...rest])
  }

  const resources = blocks.filter((each) => each.component === component).map(resource)
  return { component, resources, variables, images, takes: [...takes.values()], after }
}

/** `moshi-srv` -> `moshi_srv_image` */
export function imageVariable(family: string): string {
  return `${terraformLabel(family)}_image`
}

/** Arguments first, then blocks, `lifecycle` last: the order that people expect. */
function ordered(items: readonly Item[]): readonly Item[] {
  const rank = (one: Item): number => (one.item !== 'block' ? 0 : one.type === 'lifecycle' ? 2 : 1)
  return items.toSorted((left, right) => rank(left) - rank(right))
}

function bare(tree: Tree): Value {
  if (tree.is === 'list') return tree.items.map(bare)
  if (tree.is !== 'plain') throw new Error('lifecycle takes words only')
  return expression(String(tree.value))
}

function describe(site: ResourceBlock, name: string): string {
  const [kind = '', ...rest] = (site.members[0]?.resource.address ?? site.label).split('/')
  return `${name.replaceAll('_', ' ')} of the ${kind.replaceAll('-', ' ')} ${rest.join('/')}`
}

/** The module's `variables.tf`. */
export function variablesOf(module: Module): readonly Item[] {
  const shared = variableDeclarations.filter(([name]) => module.variables.has(name)).map(([name, type, description]) => declaration(name, type, description))
  const images = [...module.images].sort().map((family) => declaration(imageVariable(family), 'string', `Image that new VMs of ${family} begin with`))
  return [...shared, ...images, ...module.takes.map((wire) => declaration(wire.name, 'string', sentence(wire.description)))]
}

/** Variables that components share, in the order in which they are declared. */
export const variableDeclarations: readonly (readonly [VariableName, string, string])[] = [
  ['project', 'string', 'Id of the project'],
  ['region', 'string', 'Region of the repository, the buckets and the network'],
  ['zone', 'string', 'Zone of the VMs'],
  ['labels', 'map(string)', 'Labels of everything that has labels'],
  ['description', 'string', 'Description of what has no labels'],
]

export function declaration(name: string, type: string, description: string, more: readonly Item[] = []): Item {
  return block('variable', [name], [attribute('description', description), attribute('type', expression(type)), ...more])
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
}

/** The module's `outputs.tf`: what other components take, and what people and scripts ask for. */
export function outputsOf(component: ComponentName, blocks: readonly ResourceBlock[], taken: readonly Wire[]): readonly Item[] {
  const named = blocks.filter((one) => one.component === component).flatMap((one) => outputOf(one) ?? [])
  const wires = taken.filter((wire) => !named.some((output) => output.name === wire.name))
  return [
    ...named.map((output) => block('output', [output.name], [attribute('description', output.description), attribute('value', output.value)])),
    ...[...new Map(wires.map((wire) => [wire.name, wire])).values()].map((wire) =>
      block('output', [wire.name], [attribute('description', sentence(wire.description)), attribute('value', expression(wire.expression))]),
    ),
  ]
}

export interface Output {
  readonly name: string
  readonly description: string
  readonly value: Value
}

/** What a block gives to people and scripts. */
export function outputOf(one: ResourceBlock): Output | undefined {
  const { output } = one.place
  if (output === undefined || one.forEach !== undefined) return undefined
  const text = output.value.replaceAll('{self}', `${one.type}.${one.label}`)
  const parts = text.split(/(\$\{[^}]+\})/).filter((part) => part !== '')
  const value = text.includes('${') ? template(...parts.map((part) => (part.startsWith('${') ? expression(part.slice(2, -1)) : part))) : expression(text)
  return { name: `${one.label}_${output.suffix}`, description: output.description, value }
}
