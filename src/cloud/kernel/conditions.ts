/** Conditions of role bindings: what may be one, and whether it holds for a request. https://cloud.google.com/iam/docs/conditions-overview */
import { sha256Hex } from '../../base/ids.ts'
import { invalidArgument } from './api-error.ts'
import { CelError, compileCel } from '../../oidc/cel.ts'
import type { Target } from './policy.ts'

export interface Condition {
  readonly expression: string
  readonly title: string
  readonly description?: string
  readonly location?: string
}

const MAX_TITLE = 100
const MAX_DESCRIPTION = 256
/** Services whose permissions start with another word than their host name. */
const SERVICES: Readonly<Record<string, string>> = { resourcemanager: 'cloudresourcemanager', billing: 'cloudbilling' }

/** Checks a condition as clients send it. @throws ApiError 400 that says what does not compile */
export function parseCondition(value: Readonly<Record<string, unknown>>, role: string): Condition {
  const { expression, title, description, location } = value
  if (typeof expression !== 'string' || expression === '') throw invalidArgument(`The condition of the binding of ${role} has no expression.`)
  if (typeof title !== 'string' || title === '' || title.length > MAX_TITLE)
    throw invalidArgument(`The condition of the binding of ${role} must have a title of at most ${MAX_TITLE} characters.`)
  if (typeof description === 'string' && description.length > MAX_DESCRIPTION)
    throw invalidArgument(`The description of the condition ${title} has more than ${MAX_DESCRIPTION} characters.`)
  try {
    const { type } = compileCel('binding', expression)
    if (type !== 'bool' && type !== 'dyn') throw new CelError(`it gives ${type}, not bool`)
  } catch (error) {
    if (error instanceof CelError) throw invalidArgument(`LintValidationUnits/ConditionCompileCheck Error: the condition ${title} does not compile: ${error.message}`)
    throw error
  }
  return {
    expression,
    title,
    ...(typeof description === 'string' && description !== '' ? { description } : {}),
    ...(typeof location === 'string' && location !== '' ? { location } : {}),
  }
}

/** What a condition sees of a request. `projectNumber` of the target's project, for the services that name resources by it. */
export function requestAttributes(permission: string, target: Target, nowMs: number, projectNumber: string | undefined): Readonly<Record<string, unknown>> {
  return { request: { time: new Date(nowMs) }, resource: resourceAttributes(permission, target, projectNumber) }
}

/** False also when the expression cannot be evaluated: a condition never grants by mistake. */
export function conditionHolds(condition: Readonly<Record<string, unknown>>, attributes: Readonly<Record<string, unknown>>): boolean {
  try {
    return compileCel('binding', String(condition['expression'])).evaluate(attributes) === true
  } catch {
    return false
  }
}

/** Ends the role's name for readers that do not understand conditions: a stable digest of the condition. */
export function withoutCondition(role: string, condition: Readonly<Record<string, unknown>>): string {
  return `${role}_withcond_${sha256Hex(JSON.stringify(condition)).slice(0, 20)}`
}

/** https://cloud.google.com/iam/docs/conditions-resource-attributes */
function resourceAttributes(permission: string, target: Target, projectNumber: string | undefined): { readonly name: string; readonly type: string; readonly service: string } {
  const path = target.name ?? target.resource ?? `projects/${target.projectId ?? '-'}`
  if (/^projects\/[^/]+$/.test(path)) return { name: path, service: 'cloudresourcemanager.googleapis.com', type: 'cloudresourcemanager.googleapis.com/Project' }
  const word = permission.split('.')[0] ?? ''
  const service = `${SERVICES[word] ?? word}.googleapis.com`
  const name = path.startsWith('buckets/') ? `projects/_/${path}` : path
  const isObject = word === 'storage' && name.includes('/objects/')
  const type = `${service}/${isObject ? 'Object' : kindOf(name)}`
  // Secret Manager is the service whose names carry the project's number.
  return { name: word === 'secretmanager' && projectNumber !== undefined ? name.replace(/^projects\/[^/]+/, `projects/${projectNumber}`) : name, type, service }
}

/** `…/repositories/pypi` -> `Repository`. */
function kindOf(name: string): string {
  const collection = name.split('/').at(-2) ?? ''
  const singular = collection
    .replace(/ies$/, 'y')
    .replace(/(ss)es$/, '$1')
    .replace(/([^s])s$/, '$1')
  return singular.charAt(0).toUpperCase() + singular.slice(1)
}
