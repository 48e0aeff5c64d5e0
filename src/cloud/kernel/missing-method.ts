/** Names the method of a request that no route takes, in the form of Google's method ids, for the 501 answer. */

const verbs: Readonly<Record<string, readonly [collection: string, item: string]>> = {
  GET: ['list', 'get'],
  POST: ['insert', 'insert'],
  PUT: ['update', 'update'],
  PATCH: ['patch', 'patch'],
  DELETE: ['delete', 'delete'],
}

/** Words that are scopes in paths and not part of a method id. */
const scopes = new Set(['projects', 'locations', 'zones', 'regions', 'global', 'aggregated'])

/**
 * `POST /compute/v1/projects/p/zones/z/instanceGroupManagers/g/resize` on compute.googleapis.com -> `compute.instanceGroupManagers.resize`.
 * A guess by shape: collections are plural words, every second segment is a name.
 */
export function describeMissingMethod(host: string, httpMethod: string, path: string): string {
  const service = host.replace(/\.googleapis\.com$/, '')
  const segments = (path.split('?')[0] ?? '').split('/').filter((segment) => segment !== '')
  const start = segments.findIndex((segment) => /^v\d/.test(segment)) + 1
  const rest = segments.slice(start).map((segment) => decodeURIComponentSafe(segment))
  const customVerb = /:([a-zA-Z]+)$/.exec(rest.at(-1) ?? '')?.[1]
  const collections: string[] = []
  let index = 0
  let onItem = false
  while (index < rest.length) {
    const segment = rest[index] ?? ''
    if (segment === 'global' || segment === 'aggregated') {
      index += 1
      continue
    }
    if (!scopes.has(segment)) collections.push(segment)
    onItem = index + 1 < rest.length
    const verbAfterName = rest[index + 2]
    if (verbAfterName !== undefined && index + 3 === rest.length && /^[a-z]+[A-Z]?[A-Za-z]*$/.test(verbAfterName) && !verbAfterName.endsWith('s')) {
      return [service, ...collections, verbAfterName].join('.')
    }
    index += 2
  }
  if (customVerb !== undefined) return [service, ...(collections.length === 0 ? ['projects'] : collections), customVerb].join('.')
  const verb = verbs[httpMethod]?.[onItem ? 1 : 0] ?? httpMethod.toLowerCase()
  return [service, ...(collections.length === 0 ? ['projects'] : collections), verb].join('.')
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
