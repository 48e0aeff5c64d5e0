/** Descriptions out of Google's protocol files: services with google.api.http rules, messages in the JSON form that protobuf defines (https://protobuf.dev/programming-guides/json). */
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'
import type { GoogleMethod } from './method.ts'
import type { Shape } from './shape.ts'

const folder = dirname(createRequire(import.meta.url).resolve('google-proto-files/package.json'))
const text: Shape = { kind: 'string' }

/** Messages with a JSON form of their own. */
const wellKnown: Readonly<Record<string, Shape>> = {
  'google.protobuf.Empty': { kind: 'object', name: 'google.protobuf.Empty', fields: () => new Map() },
  'google.protobuf.Timestamp': text,
  'google.protobuf.Duration': text,
  'google.protobuf.FieldMask': text,
  'google.protobuf.Struct': { kind: 'map', of: { kind: 'any' } },
  'google.protobuf.Value': { kind: 'any' },
  'google.protobuf.ListValue': { kind: 'array', of: { kind: 'any' } },
  'google.protobuf.StringValue': text,
  'google.protobuf.BytesValue': text,
  'google.protobuf.Int64Value': text,
  'google.protobuf.UInt64Value': text,
  'google.protobuf.Int32Value': { kind: 'number' },
  'google.protobuf.UInt32Value': { kind: 'number' },
  'google.protobuf.DoubleValue': { kind: 'number' },
  'google.protobuf.FloatValue': { kind: 'number' },
  'google.protobuf.BoolValue': { kind: 'boolean' },
}
const scalars: Readonly<Record<string, Shape>> = {
  string: text,
  bytes: text,
  ...Object.fromEntries(['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'].map((name) => [name, text])),
  ...Object.fromEntries(['int32', 'uint32', 'sint32', 'fixed32', 'sfixed32'].map((name) => [name, { kind: 'number' } as const])),
  double: { kind: 'double' },
  float: { kind: 'double' },
  bool: { kind: 'boolean' },
}

interface HttpRule {
  readonly get?: string
  readonly put?: string
  readonly post?: string
  readonly delete?: string
  readonly patch?: string
  readonly additional_bindings?: HttpRule | readonly HttpRule[]
}

/** A tree for each package, with what its files import: in one that files come into later, the library remembers names as not there. */
const roots = new Map<string, protobuf.Root>()

/** All methods with an HTTP rule of the services in a package: `google.devtools.artifactregistry.v1`. */
export function readProtos(packageName: string): readonly GoogleMethod[] {
  const namespace = at(rootOf(packageName), packageName)
  if (!(namespace instanceof protobuf.Namespace)) throw new Error(`the protocol files have no package ${packageName}`)
  return namespace.nestedArray.filter((each) => each instanceof protobuf.Service).flatMap((service) => service.methodsArray.flatMap((method) => toMethods(service, method)))
}

/** A message by its full name, which is loaded with its package. */
export function findMessage(fullName: string): Shape | undefined {
  const ready = wellKnown[fullName]
  if (ready !== undefined) return ready
  const parts = fullName.split('.')
  const end = parts.findIndex((part) => /^[A-Z]/.test(part))
  if (end <= 0 || parts[0] !== 'google') return undefined
  const found = at(rootOf(parts.slice(0, end).join('.')), fullName)
  return found instanceof protobuf.Type ? toShape(found) : undefined
}

/** What has this full name. */
function at(root: protobuf.Root, fullName: string): protobuf.ReflectionObject | undefined {
  let here: protobuf.ReflectionObject | undefined = root
  for (const part of fullName.split('.')) here = here instanceof protobuf.Namespace ? (here.nested?.[part] ?? undefined) : undefined
  return here
}

function rootOf(packageName: string): protobuf.Root {
  const known = roots.get(packageName)
  if (known !== undefined) return known
  const path = packageName.replaceAll('.', '/')
  const files = readdirSync(join(folder, path)).filter((name) => name.endsWith('.proto'))
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => join(folder, target)
  // Some folders hold other packages too.
  root.loadSync(files.filter((file) => readFileSync(join(folder, path, file), 'utf8').includes(`package ${packageName};`)).map((file) => `${path}/${file}`))
  roots.set(packageName, root)
  return root
}

function toMethods(service: protobuf.Service, method: protobuf.Method): readonly GoogleMethod[] {
  const options: readonly Record<string, unknown>[] = method.parsedOptions ?? []
  const rule = options.map((option) => option['(google.api.http)'] as HttpRule | undefined).find((each) => each !== undefined)
  const byVerb = new Map<string, string[]>()
  for (const each of rule === undefined ? [] : [rule, ...[rule.additional_bindings ?? []].flat()]) {
    for (const verb of ['get', 'put', 'post', 'delete', 'patch'] as const) {
      const path = each[verb]
      if (path !== undefined) byVerb.set(verb.toUpperCase(), [...(byVerb.get(verb.toUpperCase()) ?? []), expand(path)])
    }
  }
  method.resolve()
  const type = method.resolvedResponseType
  return [...byVerb].map(([httpMethod, paths]) => ({
    id: `${service.name}.${method.name}`,
    group: service.name,
    httpMethod,
    paths,
    reply: type === null || type.fullName === '.google.api.HttpBody' ? undefined : () => toReplyShape(type, method.responseStream === true),
  }))
}

/** `{parent=projects/*}` stands for its pattern, `{project}` for one segment. */
function expand(path: string): string {
  return path.replace(/\{[\w.]+=([^}]*)\}/g, '$1').replace(/\{[\w.]+\}/g, '*')
}

/** A stream of messages is a list in JSON. */
function toReplyShape(type: protobuf.Type, isStream: boolean): Shape {
  return isStream ? { kind: 'array', of: toShape(type) } : toShape(type)
}

function toShape(type: protobuf.Type): Shape {
  const name = type.fullName.slice(1)
  if (name === 'google.protobuf.Any') return { kind: 'typed', resolve: findMessage }
  return wellKnown[name] ?? { kind: 'object', name, fields: () => new Map(type.fieldsArray.map((field) => [jsonName(field), toFieldShape(field)])) }
}

function jsonName(field: protobuf.Field): string {
  return field.name.replace(/_(\w)/g, (_whole, letter: string) => letter.toUpperCase())
}

function toFieldShape(field: protobuf.Field): Shape {
  field.resolve()
  const one = toValueShape(field)
  if (field instanceof protobuf.MapField) return { kind: 'map', of: one }
  return field.repeated ? { kind: 'array', of: one } : one
}

function toValueShape(field: protobuf.Field): Shape {
  // Of all enumerations this one is null in JSON.
  if (field.resolvedType?.fullName === '.google.protobuf.NullValue') return { kind: 'null' }
  if (field.resolvedType instanceof protobuf.Enum) return { kind: 'enum', values: Object.keys(field.resolvedType.values) }
  if (field.resolvedType instanceof protobuf.Type) return toShape(field.resolvedType)
  return scalars[field.type] ?? { kind: 'any' }
}
