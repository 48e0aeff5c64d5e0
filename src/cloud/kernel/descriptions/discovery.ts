/**
 * Descriptions out of the @googleapis packages, which Google generates from its discovery documents: the compiled client has each method's
 * path, and the type declarations have the shapes of all messages. What only the package with all of Google's APIs has (250 MB) is kept here as an
 * extract of the two files, which `node tools/make-api-extract.ts` makes.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { GoogleMethod } from './method.ts'
import type { Shape } from './shape.ts'

const requireHere = createRequire(import.meta.url)

/** What is read of a client and its declarations. */
export interface DiscoveryExtract {
  readonly methods: readonly {
    readonly verb: string
    /** `managedZones`: where the method is in the tree of resources. */
    readonly chain: readonly string[]
    readonly httpMethod: string
    readonly url: string
    /** Name of a message, or of a type of the language. */
    readonly reply: string | undefined
  }[]
  /** The declarations of the messages. */
  readonly messages: Readonly<Record<string, string>>
}

/**
 * All methods of an API in one version.
 * @param parents for collections at the top of the tree whose names begin elsewhere: `{services: 'projects/*'}`
 */
export function readDiscovery(name: string, version: string, parents: Readonly<Record<string, string>> = {}): readonly GoogleMethod[] {
  const { methods, messages } = readExtract(name, version)
  const shapeOf = createMessages(messages)
  return methods.map(({ verb, chain, httpMethod, url, reply }) => ({
    id: [name, ...chain, verb].join('.'),
    group: [name, ...chain].join('.'),
    httpMethod,
    paths: [expand(url, chain, parents[chain[0] ?? ''])],
    reply: reply?.startsWith('Schema$') === true ? () => shapeOf(reply) : undefined,
  }))
}

/** Of `@googleapis/<name>`, or the extract that is kept here. */
function readExtract(name: string, version: string): DiscoveryExtract {
  if (name === 'dns') return JSON.parse(readFileSync(join(import.meta.dirname, `${name}.${version}.json`), 'utf8')) as DiscoveryExtract
  return extractDiscovery(
    readFileSync(requireHere.resolve(`@googleapis/${name}/build/${version}.js`), 'utf8'),
    readFileSync(requireHere.resolve(`@googleapis/${name}/build/${version}.d.ts`), 'utf8'),
  )
}

/** Reads a compiled client and its declarations. */
export function extractDiscovery(code: string, types: string): DiscoveryExtract {
  const properties = new Map([...code.matchAll(/this\.(\w+) =\s+new (Resource\$[\w$]+)\(/g)].map((match) => [match[2] ?? '', match[1] ?? '']))
  const replies = new Map(
    [...types.matchAll(/\(params\?: Params\$([\w$]+), options\?: MethodOptions\): Promise<GaxiosResponseWithHTTP2<([\w$]+)>>/g)].map((match) => [
      (match[1] ?? '').toLowerCase(),
      match[2] ?? '',
    ]),
  )
  // A method may also be of the API itself and of no resource: its class has the API's name.
  const methods = code
    .split(/^ {4}class (?=\w)/m)
    .slice(1)
    .flatMap((section) => {
      const className = /^Resource\$[\w$]+/.exec(section)?.[0] ?? ''
      const chain = chainOf(className, properties)
      return [...section.matchAll(/^ {8}(\w+)\(paramsOrCallback[^]*?url: \(rootUrl \+\s*'([^']+)'\)[^]*?method: '([A-Z]+)'/gm)].map(([, verb = '', url = '', httpMethod = '']) => ({
        verb,
        chain,
        httpMethod,
        url,
        reply: replies.get(`${className}$${verb}`.toLowerCase()),
      }))
    })
  const messages = [...types.matchAll(/^ {4}export interface (Schema\$\w+) (\{[^]*?^ {4}\})/gm)].map(([, name = '', text = '']) => [name, text] as const)
  return { methods, messages: Object.fromEntries(messages) }
}

/** `Resource$Projects$Serviceaccounts` -> `projects`, `serviceAccounts`: the classes are spelled in another case than the ids. */
function chainOf(className: string, properties: ReadonlyMap<string, string>): readonly string[] {
  const parts = className.split('$')
  return parts.slice(1).map((part, index) => properties.get(parts.slice(0, index + 2).join('$')) ?? part.toLowerCase())
}

/**
 * `/v1/{+parent}/secrets` of projects.secrets.list: the part in braces stands for `projects/*`. What `{+parent}` stands for is not in the client, but the
 * method's place in the tree of resources tells: names alternate with collections.
 */
function expand(url: string, chain: readonly string[], parent: string | undefined): string {
  const [, before = '', after = ''] = /^(.*?)\{\+\w+\}(.*)$/.exec(url) ?? []
  if (before === '') return url.replace(/\{\w+\}/g, '*')
  const isList = new RegExp(`^/${chain.at(-1)}(:|/|$)`).test(after)
  const collections = isList ? chain.slice(0, -1) : chain
  const names = [...(parent === undefined ? [] : [parent]), ...collections.map((collection) => `${collection}/*`)]
  return `${before}${names.join('/')}${after}`.replace(/\{\w+\}/g, '*')
}

/** Reads the declarations when they are asked for: Compute Engine has thousands. */
function createMessages(declarations: Readonly<Record<string, string>>): (name: string) => Shape {
  const known = new Map<string, ReadonlyMap<string, Shape>>()

  function message(name: string): Shape {
    return {
      kind: 'object',
      name: name.replace('Schema$', ''),
      fields() {
        const before = known.get(name)
        if (before !== undefined) return before
        const text = declarations[name]
        if (text === undefined) throw new Error(`the declarations have no ${name}`)
        const shape = parseType(tokenize(text), message)
        const fields = shape.kind === 'object' ? shape.fields() : new Map<string, Shape>()
        known.set(name, fields)
        return fields
      },
    }
  }
  return message
}

function tokenize(text: string): string[] {
  return text.replace(/\/\*[^]*?\*\//g, '').match(/'[^']*'|[\w$]+|[{}[\]<>|?:;(),]/g) ?? []
}

/** A type of the declarations, which use a small part of TypeScript: names, lists, unions with null, inline objects, maps. Takes its tokens off the front. */
function parseType(tokens: string[], message: (name: string) => Shape): Shape {
  let shape: Shape = { kind: 'any' }
  for (;;) {
    const part = parsePart(tokens, message)
    if (part !== undefined) shape = part
    if (tokens[0] !== '|') return shape
    tokens.shift()
  }
}

function parsePart(tokens: string[], message: (name: string) => Shape): Shape | undefined {
  const token = tokens.shift() ?? ''
  let shape: Shape | undefined
  if (token === '{') shape = parseMembers(tokens, message)
  else if (token === '(') {
    shape = parseType(tokens, message)
    tokens.shift()
  } else if (token === 'Array') {
    tokens.shift()
    shape = { kind: 'array', of: parseType(tokens, message) }
    tokens.shift()
  } else if (token === 'string' || token === 'number' || token === 'boolean') shape = { kind: token }
  else if (token.startsWith('Schema$')) shape = message(token)
  else if (token !== 'null') shape = { kind: 'any' }
  while (tokens[0] === '[' && tokens[1] === ']') {
    tokens.splice(0, 2)
    shape = { kind: 'array', of: shape ?? { kind: 'any' } }
  }
  return shape
}

function parseMembers(tokens: string[], message: (name: string) => Shape): Shape {
  const fields = new Map<string, Shape>()
  let values: Shape | undefined
  while (tokens.length > 0 && tokens[0] !== '}') {
    const name = tokens.shift() ?? ''
    if (name === '[') {
      tokens.splice(0, tokens.indexOf(']') + 2)
      values = parseType(tokens, message)
    } else {
      if (tokens[0] === '?') tokens.shift()
      tokens.shift()
      fields.set(name.replaceAll("'", ''), parseType(tokens, message))
    }
    if (tokens[0] === ';') tokens.shift()
  }
  tokens.shift()
  if (values !== undefined) return { kind: 'map', of: values }
  return { kind: 'object', name: 'the inline object', fields: () => fields }
}
