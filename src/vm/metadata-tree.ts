/**
 * The metadata tree as a file system of directories and values, and its text and JSON forms. Pure.
 * Rules: https://cloud.google.com/compute/docs/metadata/querying-metadata (camelCase in JSON, kebab-case in paths; attribute keys stay as they are).
 */
import type { MetadataTree, MetadataValue } from './metadata.ts'

/** Below these names, keys are the user's own (attributes) or identities (accounts): never rewritten. */
const literalChildren = new Set(['attributes', 'serviceAccounts', 'guestAttributes'])
/** Lists that are directories of numbered entries, also when they are empty. Lists of objects always are. */
const listDirectories = new Set(['disks', 'networkInterfaces', 'accessConfigs', 'forwardedIps', 'targetInstanceIps', 'ipAliases', 'licenses', 'ipv6AccessConfigs'])
/** Lists that are one value which is itself JSON; other lists are one value with a line for each member. */
const jsonLists = new Set(['tags'])
/** Below serviceAccounts/ACCOUNT/, beside what the tree has. */
const accountEndpoints = ['identity', 'token']

export type MetadataNode =
  | {
      readonly type: 'directory'
      readonly value: MetadataValue
      /** In the order of listings: sorted by name. */ readonly children: ReadonlyMap<string, MetadataNode>
      readonly virtual: readonly string[]
    }
  | { readonly type: 'value'; readonly value: MetadataValue; readonly text: string }

/** The node for the whole tree. */
export function metadataRoot(tree: MetadataTree): MetadataNode {
  return makeNode(tree, '', false, '')
}

/** The node at a path of decoded segments; undefined when there is none. */
export function findNode(root: MetadataNode, segments: readonly string[]): MetadataNode | undefined {
  let node: MetadataNode | undefined = root
  for (const segment of segments) {
    if (node?.type !== 'directory') return undefined
    node = node.children.get(segment)
  }
  return node
}

/** `externalIp` -> `external-ip`. What is kebab-case already stays. */
function kebabCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** A directory's listing: one name a line, directories end with a slash. */
export function listNames(node: MetadataNode & { type: 'directory' }): string[] {
  const names = [...node.children].map(([name, child]) => (child.type === 'directory' ? `${name}/` : name))
  return [...names, ...node.virtual].toSorted((a, b) => (a < b ? -1 : 1))
}

/** The text form of `?recursive=true&alt=text`: `path/to/key value`, one a line. */
export function flattenText(node: MetadataNode, prefix = ''): string {
  if (node.type === 'value') return `${prefix} ${node.text}\n`
  return [...node.children].map(([name, child]) => flattenText(child, prefix === '' ? name : `${prefix}/${name}`)).join('')
}

function makeNode(value: MetadataValue, key: string, literal: boolean, parentKey: string): MetadataNode {
  if (isList(value)) {
    if (!listDirectories.has(key) && !value.some((member) => typeof member === 'object')) return { type: 'value', value, text: listText(key, value) }
    return { type: 'directory', value, virtual: [], children: new Map(value.map((member, index) => [String(index), makeNode(member, '', false, key)])) }
  }
  if (typeof value !== 'object') return { type: 'value', value, text: String(value) }
  const keepKeys = literalChildren.has(key) || (literal && parentKey === 'guestAttributes')
  const entries = Object.entries(value).map(([name, member]) => [keepKeys ? name : kebabCase(name), makeNode(member, name, keepKeys, key)] as const)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return { type: 'directory', value, children: new Map(entries), virtual: parentKey === 'serviceAccounts' ? accountEndpoints : [] }
}

/** `Array.isArray` does not narrow read-only arrays out of a union. */
function isList(value: MetadataValue): value is readonly MetadataValue[] {
  return Array.isArray(value)
}

function listText(key: string, members: readonly MetadataValue[]): string {
  return jsonLists.has(key) ? JSON.stringify(members) : members.map(String).join('\n')
}
