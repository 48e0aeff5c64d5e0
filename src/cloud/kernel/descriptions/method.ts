/** A method of a Google API as its description has it, and which of our routes is the same. */
import type { Shape } from './shape.ts'

export interface GoogleMethod {
  /** `storage.buckets.insert`; for services that are described as gRPC: `ArtifactRegistry.CreateRepository`. */
  readonly id: string
  /** `storage.buckets`, `ArtifactRegistry`. */
  readonly group: string
  readonly httpMethod: string
  /** With `*` for one segment and `**` for several: `/v1/projects/*:getIamPolicy`. */
  readonly paths: readonly string[]
  /** Of the JSON reply; undefined: none, or bytes. */
  readonly reply: (() => Shape) | undefined
}

/** A route's path in the form of `GoogleMethod.paths`: parameters, with their expressions, become `*`. */
export function templateOfRoute(path: string): string {
  return path
    .replaceAll('::', '\u0000')
    .replace(/\*/g, '**')
    .replace(/:(\w+)(\((?:[^()]|\([^()]*\))*\))?/g, '*')
    .replaceAll('\u0000', ':')
}

/** Finds the method that a route is. Templates must be equal; one with `**` also takes several segments. */
export function findMethod(methods: readonly GoogleMethod[], httpMethod: string, routePath: string): GoogleMethod | undefined {
  const template = templateOfRoute(routePath)
  const candidates = methods.filter((method) => method.httpMethod === httpMethod)
  return (
    candidates.find((method) => method.paths.includes(template) || method.paths.includes(template.replaceAll('**', '*'))) ??
    candidates.find((method) => method.paths.some((path) => path.includes('**') && covers(path, template)))
  )
}

/** All methods that one route with a wildcard answers: of documents of any depth the number of segments tells whether one is read or a list. */
export function findMethods(methods: readonly GoogleMethod[], httpMethod: string, routePath: string): readonly GoogleMethod[] {
  const first = findMethod(methods, httpMethod, routePath)
  const template = templateOfRoute(routePath)
  if (first === undefined || !template.endsWith('/**')) return first === undefined ? [] : [first]
  const stem = template.slice(0, -'**'.length)
  return [first, ...methods.filter((method) => method !== first && method.httpMethod === httpMethod && method.paths.some((path) => path.startsWith(stem) && !path.includes(':')))]
}

function covers(wide: string, template: string): boolean {
  const expression = wide
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.+' : part === '*' ? '[^/]+' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')))
    .join('')
  return new RegExp(`^${expression}$`).test(template)
}
