/**
 * CEL, as IAM speaks it: the attribute mappings and conditions of workload identity providers, and the conditions of role bindings. The language is a
 * library's; here are its environments, the functions that IAM adds, and the words of its errors.
 * https://cloud.google.com/iam/docs/conditions-attribute-reference, https://cloud.google.com/iam/docs/workload-identity-federation#mapping
 */
import { Environment, EvaluationError, ParseError, serialize, TypeError as CelTypeError } from '@marcbachmann/cel-js'
import type { ASTNode } from '@marcbachmann/cel-js'

/** `mapping` sees `assertion`; `admission` (the condition of a provider) also `google` and `attribute`; `binding` sees `request` and `resource`. */
export type CelDialect = 'mapping' | 'admission' | 'binding'

export interface CelExpression {
  /** The type that the checker worked out: `bool`, `string`, `dyn` … */
  readonly type: string
  /** The operands of the `&&` at the top, or the whole; each as text that compiles by itself. */
  readonly conjuncts: readonly string[]
  /** Variables and the fields that are read of them, as written: `assertion.repository`. */
  readonly paths: readonly string[]
  /** @throws CelError when a field is missing, or a type does not fit */
  evaluate(context: Readonly<Record<string, unknown>>): unknown
}

/** An expression that does not compile or cannot be evaluated. */
export class CelError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CelError'
  }
}

/** The library keeps `google` for the names of protocol buffers, so that variable goes by another name within. */
const GOOGLE = 'google__'
const LIMITS = { maxAstNodes: 2000, maxDepth: 100 }
const MAX_CACHED = 500

const environments: Readonly<Record<CelDialect, Environment>> = {
  mapping: base().registerVariable('assertion', 'map'),
  admission: base().registerVariable('assertion', 'map').registerVariable(GOOGLE, 'map').registerVariable('attribute', 'map'),
  binding: base()
    .registerVariable({ name: 'request', schema: { time: 'google.protobuf.Timestamp' } })
    .registerVariable({ name: 'resource', schema: { name: 'string', type: 'string', service: 'string' } }),
}
const compiled = new Map<string, CelExpression>()

function base(): Environment {
  return new Environment({ homogeneousAggregateLiterals: false, limits: LIMITS }).registerFunction('string.extract(string): string', extract)
}

/**
 * Parses and checks an expression; the last few hundred are remembered.
 * @throws CelError that says what is wrong and where
 */
export function compileCel(dialect: CelDialect, source: string): CelExpression {
  const key = `${dialect} ${source}`
  const known = compiled.get(key)
  if (known !== undefined) return known
  const made = compile(environments[dialect], source)
  if (compiled.size >= MAX_CACHED) compiled.delete(compiled.keys().next().value ?? '')
  compiled.set(key, made)
  return made
}

function compile(environment: Environment, source: string): CelExpression {
  const text = rename(source)
  const parsed = guarded(() => environment.parse(text))
  const checked = guarded(() => parsed.check())
  if (!checked.valid) throw toCelError(checked.error)
  return {
    type: checked.type ?? 'dyn',
    conjuncts: conjunctsOf(parsed.ast).map((node) => restore(serialize(node))),
    paths: [...new Set(source.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""').match(/\b(?:assertion|google|attribute|request|resource)(?:\.[A-Za-z_]\w*(?!\w*\())+/g))],
    evaluate: (context) => guarded(() => parsed({ ...context, [GOOGLE]: context['google'] ?? {} }) as unknown),
  }
}

function conjunctsOf(node: ASTNode): readonly ASTNode[] {
  return node.op === '&&' ? node.args.flatMap((arg) => conjunctsOf(arg)) : [node]
}

/** Outside of string literals. */
function rename(source: string): string {
  return source.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?<![\w.])google(?=\s*[.[])/g, (token) => (token === 'google' ? GOOGLE : token))
}

function restore(text: string): string {
  return text.replaceAll(GOOGLE, 'google')
}

function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw toCelError(error)
  }
}

function toCelError(error: unknown): CelError {
  if (error instanceof ParseError || error instanceof EvaluationError || error instanceof CelTypeError) {
    const at = error.range === undefined ? '' : ` (at character ${error.range.start + 1})`
    return new CelError(restore(`${error.summary}${at}`), { cause: error })
  }
  return new CelError(error instanceof Error ? restore(error.message) : 'the expression cannot be evaluated', { cause: error })
}

/**
 * IAM's `extract`: what stands at the place of `{name}` in the template, between the first occurrence of the text before it and the next of the text after
 * it; the empty string when there is none.
 */
function extract(text: string, template: string): string {
  const match = /^([^{}]*)\{[^{}]*\}([^{}]*)$/.exec(template)
  if (match === null) throw new CelError(`extract() takes a template with one {name} in it, not ${JSON.stringify(template)}`)
  const [, before = '', after = ''] = match
  const found = text.indexOf(before)
  if (found === -1) return ''
  const start = found + before.length
  const end = after === '' ? text.length : text.indexOf(after, start)
  return end === -1 ? '' : text.slice(start, end)
}

/** JSON as CEL sees it: whole numbers are ints, so that `string(assertion.id)` has no fraction. */
export function toCel(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(toCel)
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toCel(each)]))
  return value
}
