/**
 * google.api.http: path templates and what of a request goes into path, query and body.
 * Sources: google/api/http.proto, https://google.aip.dev/127, https://cloud.google.com/endpoints/docs/grpc/transcoding.
 */
import protobuf from 'protobufjs'
import type { Type } from 'protobufjs'
import { describeJson, isJsonObject } from './json-value.ts'
import type { Json, JsonObject } from './json-value.ts'
import { findField, jsonNameOf } from './proto-json.ts'
import type { RawHttpRule } from './services.ts'
import { GrpcError } from './status.ts'

/** One REST form of a method. */
export interface Binding {
  readonly method: string
  /** As stated, for messages and lists. */
  readonly template: string
  readonly parts: readonly (string | Variable)[]
  /** `*`, the JSON name of a field, or undefined: no body. */
  readonly body: string | undefined
}

interface Variable {
  /** JSON names. */
  readonly path: readonly string[]
  readonly pattern: RegExp
  /** What the pattern was made from, for messages. */
  readonly shape: string
  /** A variable that is one segment alone takes any text and escapes `/` as well. */
  readonly isMulti: boolean
}

export interface RestParts {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly body: Json | undefined
}

/**
 * All REST forms of a rule, the main one first.
 * @throws Error when the rule names fields that the request has not (a defect of the data).
 */
export function compileRule(rule: RawHttpRule, request: Type): readonly Binding[] {
  return [rule, ...[rule.additional_bindings ?? []].flat()].map((each) => {
    const [method, template] = patternOf(each)
    const body = each.body === undefined || each.body === '' || each.body === '*' ? each.body || undefined : jsonPath(request, each.body).join('.')
    return { method, template, parts: parseTemplate(template, request), body }
  })
}

/**
 * The REST call for a request.
 * @param request the request message as JSON
 * @throws GrpcError INVALID_ARGUMENT when a field that is part of the path does not fit any of the rule's templates.
 */
export function expand(bindings: readonly Binding[], request: JsonObject): RestParts {
  let problem = ''
  for (const binding of bindings) {
    const path = expandPath(binding, request)
    if (typeof path === 'string') return { method: binding.method, ...placeFields(binding, path, request) }
    problem ||= path.problem
  }
  throw new GrpcError('INVALID_ARGUMENT', problem)
}

function patternOf(rule: RawHttpRule): [method: string, template: string] {
  if (rule.custom !== undefined) return [rule.custom.kind.toUpperCase(), rule.custom.path]
  for (const method of ['get', 'put', 'post', 'delete', 'patch'] as const) {
    const template = rule[method]
    if (template !== undefined) return [method.toUpperCase(), template]
  }
  throw new Error('a google.api.http rule without a path')
}

function parseTemplate(template: string, request: Type): readonly (string | Variable)[] {
  return template
    .split(/(\{[^}]*\})/)
    .filter((part) => part !== '')
    .map((part) => {
      if (!part.startsWith('{')) return part
      const [name = '', shape = '*'] = part.slice(1, -1).split('=')
      return { path: jsonPath(request, name), pattern: shape === '*' ? /^[^]+$/ : patternFor(shape), shape, isMulti: shape !== '*' }
    })
}

/** `projects/*` -> one non-empty segment for each `*`, any number of them for `**`. */
function patternFor(shape: string): RegExp {
  const source = shape
    .split(/(\*\*?)/)
    .map((part) => (part === '**' ? '.+' : part === '*' ? '[^/]+' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')))
    .join('')
  return new RegExp(`^${source}$`)
}

/** A field path as the file has it (`secret.name`), as JSON names. */
function jsonPath(request: Type, path: string): readonly string[] {
  let type: Type | undefined = request
  return path.split('.').map((name) => {
    const field = type === undefined ? undefined : findField(type, name)
    if (field === undefined) throw new Error(`google.api.http of a method names ${path}, which ${request.fullName} has not`)
    type = field.resolvedType instanceof protobuf.Type ? field.resolvedType : undefined
    return jsonNameOf(field)
  })
}

function expandPath(binding: Binding, request: JsonObject): string | { readonly problem: string } {
  let path = ''
  for (const part of binding.parts) {
    if (typeof part === 'string') {
      path += part
      continue
    }
    const value = readPath(request, part.path)
    const text = value === undefined || typeof value === 'object' ? '' : String(value)
    if (!part.pattern.test(text)) return { problem: `Invalid value at '${part.path.join('.')}': ${describeJson(text)} does not have the form ${describeJson(part.shape)}.` }
    // URL parsers on the way would take these as steps up.
    if (text.split('/').some((segment) => segment === '.' || segment === '..'))
      return { problem: `Invalid value at '${part.path.join('.')}': ${describeJson(text)} has a dot segment.` }
    path += part.isMulti ? escapeMulti(text) : encodeURIComponent(text).replace(/[!'()*]/g, escapeByte)
  }
  return path
}

/** Everything but unreserved characters and slashes; slashes that a name holds escaped stay as they are. */
function escapeMulti(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, escapeByte)
    .replaceAll('%2F', '/')
    .replace(/%252f/gi, '%2F')
}

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

/** Fields of the path are taken out; the rest goes where the rule says. */
function placeFields(binding: Binding, path: string, request: JsonObject): { path: string; body: Json | undefined } {
  const rest = structuredClone(request)
  const body = binding.body === undefined || binding.body === '*' ? undefined : (rest[binding.body] ?? {})
  // A message that is the body keeps its name: that is how the REST clients send it as well.
  if (binding.body !== undefined) delete rest[binding.body]
  for (const part of binding.parts) if (typeof part !== 'string') deletePath(rest, part.path)
  if (binding.body === '*') return { path, body: rest }
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(rest)) addQuery(query, name, value)
  const text = query.toString()
  return { path: text === '' ? path : `${path}?${text}`, body }
}

function addQuery(query: URLSearchParams, name: string, value: Json): void {
  if (value === null) return
  if (isJsonObject(value)) {
    for (const [key, each] of Object.entries(value)) addQuery(query, `${name}.${key}`, each)
    return
  }
  for (const each of Array.isArray(value) ? value : [value]) {
    if (typeof each === 'object') throw new GrpcError('INVALID_ARGUMENT', `Invalid value at '${name}': a list of messages cannot be sent as a query.`)
    query.append(name, String(each))
  }
}

function readPath(json: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = json
  for (const name of path) value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  return value
}

function deletePath(json: JsonObject, path: readonly string[]): void {
  const parent = path.length === 1 ? json : readPath(json, path.slice(0, -1))
  const last = path.at(-1)
  if (isJsonObject(parent) && last !== undefined) delete parent[last]
}
