/**
 * The two expressions of a workload identity provider: the mapping from a token's claims to an identity, and the condition that admits it. Both are checked
 * when a provider is made, and evaluated at every exchange.
 */
import { CelError, compileCel, toCel } from './cel.ts'
import type { CelDialect, CelExpression } from './cel.ts'
import type { MappedIdentity } from './provider.ts'

/** https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers, and quotas of workload identity federation. */
const LIMITS = { subjectBytes: 127, attributesBytes: 8192, keyLength: 100, customAttributes: 50, expressionLength: 2048, conditionLength: 4096 } as const
const CUSTOM = /^attribute\.([a-z0-9_]+)$/
/** Issuers that anybody can get tokens of: a condition must tell whose they are. https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines#conditions */
const SHARED_ISSUERS = /^https:\/\/(token\.actions\.githubusercontent\.com|gitlab\.com|app\.terraform\.io)\/?$/

export interface MappingProblem {
  readonly problem: string
  /** The field that is missing or wrong. */
  readonly claim?: string
}

export interface ConditionProblem {
  readonly message: string
  readonly claim?: string
}

/** What is wrong with a mapping before any token is seen, in Google's words where they are known; undefined: nothing. */
export function mappingError(mapping: Readonly<Record<string, string>>): string | undefined {
  const keys = Object.keys(mapping)
  if (keys.length === 0 || mapping['google.subject'] === undefined) return 'A mapping to google.subject is required: attributeMapping must have the key google.subject.'
  if (keys.filter((key) => CUSTOM.test(key)).length > LIMITS.customAttributes) return `At most ${LIMITS.customAttributes} custom attributes can be mapped.`
  for (const [key, source] of Object.entries(mapping)) {
    const name = CUSTOM.exec(key)?.[1]
    if (name === undefined && key !== 'google.subject' && key !== 'google.groups')
      return `Invalid mapped attribute key: ${key}. Use google.subject, google.groups or attribute.NAME, where NAME has only the characters [a-z0-9_].`
    if (name !== undefined && name.length > LIMITS.keyLength) return `The mapped attribute key ${key.slice(0, 40)}… is longer than ${LIMITS.keyLength} characters.`
    if (source.length > LIMITS.expressionLength) return `The attribute mapping of ${key} is longer than ${LIMITS.expressionLength} characters.`
    const compiled = tryCompile('mapping', source)
    if (compiled instanceof CelError) return `Error compiling the attribute mapping of ${key}: ${compiled.message}`
    const wanted = key === 'google.groups' ? /^(dyn|list)/ : /^(dyn|string)/
    if (!wanted.test(compiled.type)) return `The attribute mapping of ${key} must give a ${key === 'google.groups' ? 'list of strings' : 'string'}, not ${compiled.type}.`
  }
  return undefined
}

/** What is wrong with a condition before any token is seen; undefined: nothing. */
export function conditionError(condition: string, issuerUri: string): string | undefined {
  if (condition.length > LIMITS.conditionLength) return `The attribute condition is longer than ${LIMITS.conditionLength} characters.`
  const compiled = condition === '' ? undefined : tryCompile('admission', condition)
  if (compiled instanceof CelError) return `Error compiling the attribute condition: ${compiled.message}`
  if (compiled !== undefined && !/^(bool|dyn)$/.test(compiled.type)) return `The attribute condition must give a bool, not ${compiled.type}.`
  if (SHARED_ISSUERS.test(issuerUri) && (compiled === undefined || compiled.paths.length === 0)) {
    return "The attribute condition must reference one of the provider's claims. For more information, see https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines#conditions"
  }
  return undefined
}

/** The identity that these claims are mapped to. */
export function mapClaims(mapping: Readonly<Record<string, string>>, claims: Readonly<Record<string, unknown>>): { readonly identity: MappedIdentity } | MappingProblem {
  const context = { assertion: toCel(claims) }
  const attributes: Record<string, string> = {}
  let subject = ''
  let groups: readonly string[] = []
  for (const [key, source] of Object.entries(mapping)) {
    const compiled = tryCompile('mapping', source)
    if (compiled instanceof CelError) return { problem: `The attribute mapping of ${key} does not compile: ${compiled.message}` }
    const value = tryEvaluate(compiled, context)
    const claim = compiled.paths[0]
    const about = claim === undefined ? {} : { claim }
    if (value instanceof CelError) {
      return { problem: `Could not obtain a value for ${key} from the given credential: ${source} fails with "${value.message}"`, ...about }
    }
    if (key === 'google.groups') {
      if (!isStrings(value)) return { problem: `The mapped attribute google.groups must be a list of strings, but ${source} gave ${typeName(value)}.`, ...about }
      groups = value
      continue
    }
    if (typeof value !== 'string') return { problem: `The mapped attribute '${key}' must be of type STRING, but ${source} gave ${typeName(value)}.`, ...about }
    if (key === 'google.subject') subject = value
    else attributes[key.slice('attribute.'.length)] = value
  }
  const subjectFrom = /assertion\.\w+/.exec(mapping['google.subject'] ?? '')?.[0]
  const about = subjectFrom === undefined ? {} : { claim: subjectFrom }
  if (subject === '') return { problem: 'The mapped attribute google.subject must not be empty.', ...about }
  if (Buffer.byteLength(subject) > LIMITS.subjectBytes) {
    return {
      problem: `The size of mapped attribute google.subject exceeds the ${LIMITS.subjectBytes} bytes limit. Either modify your attribute mapping or the incoming assertion to produce a mapped attribute that is less than ${LIMITS.subjectBytes} bytes.`,
      ...about,
    }
  }
  if (Buffer.byteLength(JSON.stringify({ subject, groups, attributes })) > LIMITS.attributesBytes)
    return { problem: `The total size of the mapped attributes exceeds the ${LIMITS.attributesBytes} bytes limit.` }
  return { identity: { subject, groups, attributes } }
}

/** Undefined when the condition holds, or is empty; else which part of it does not, with the values that it looked at. */
export function checkCondition(condition: string, claims: Readonly<Record<string, unknown>>, identity: MappedIdentity): ConditionProblem | undefined {
  if (condition === '') return undefined
  const { subject, groups, attributes } = identity
  const context = { assertion: toCel(claims), google: { subject, groups: [...groups] }, attribute: attributes }
  const compiled = tryCompile('admission', condition)
  if (compiled instanceof CelError) return { message: `It does not compile: ${compiled.message}` }
  if (tryEvaluate(compiled, context) === true) return undefined
  for (const part of compiled.conjuncts) {
    const alone = tryCompile('admission', part)
    if (alone instanceof CelError) continue
    const value = tryEvaluate(alone, context)
    if (value === true) continue
    const seen = alone.paths.map((path) => `${path} is ${show(read({ assertion: claims, google: { subject, groups }, attribute: attributes }, path))}`).join(', ')
    const claim = alone.paths[0]
    const outcome = value instanceof CelError ? `fails with "${value.message}"` : `is ${typeof value === 'boolean' ? String(value) : typeName(value)}`
    return { message: `${part} ${outcome}${seen === '' ? '' : `: ${seen}`}.`, ...(claim === undefined ? {} : { claim }) }
  }
  return { message: `${condition} is not true.` }
}

function tryCompile(dialect: CelDialect, source: string): CelExpression | CelError {
  try {
    return compileCel(dialect, source)
  } catch (error) {
    return toError(error)
  }
}

function tryEvaluate(expression: CelExpression, context: Readonly<Record<string, unknown>>): unknown {
  try {
    return expression.evaluate(context)
  } catch (error) {
    return toError(error)
  }
}

function toError(error: unknown): CelError {
  return error instanceof CelError ? error : new CelError(String(error), { cause: error })
}

function read(root: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined), root)
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 200)
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'bigint') return 'an int'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a map' : `a ${typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'double' : typeof value}`
}
