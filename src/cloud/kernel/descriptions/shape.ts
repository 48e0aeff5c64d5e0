/** The shape of a JSON reply as Google describes it, whichever form the description has; and what in a reply is not of its shape. */

export type Shape =
  | { readonly kind: 'any' | 'string' | 'number' | 'boolean' | 'null' }
  /** A number, or the text NaN, Infinity or -Infinity, for which JSON has no numbers. */
  | { readonly kind: 'double' }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'array'; readonly of: Shape }
  | { readonly kind: 'map'; readonly of: Shape }
  /** `fields` is asked late: types refer to each other in circles. */
  | { readonly kind: 'object'; readonly name: string; readonly fields: () => ReadonlyMap<string, Shape> }
  /** google.protobuf.Any: `@type` says what the rest is. */
  | { readonly kind: 'typed'; readonly resolve: (typeName: string) => Shape | undefined }

/**
 * Everything in `value` that the shape does not have: `items[].naem: Bucket has no such field`, `size: a number, where a string is described`.
 * Missing fields are fine, as in all of Google's JSON; null is not, since Google leaves fields out instead.
 */
export function findViolations(value: unknown, shape: Shape, path = ''): readonly string[] {
  const at = path === '' ? 'the reply' : path
  switch (shape.kind) {
    case 'any':
      return []
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === shape.kind ? [] : [`${at}: ${describe(value)}, where a ${shape.kind} is described`]
    case 'null':
      return value === null ? [] : [`${at}: ${describe(value)}, where null is described`]
    case 'double':
      return typeof value === 'number' || /^(NaN|-?Infinity)$/.test(String(value)) ? [] : [`${at}: ${describe(value)}, where a number is described`]
    case 'enum':
      if (typeof value !== 'string') return [`${at}: ${describe(value)}, where one of ${shape.values.join(', ')} is described`]
      return shape.values.includes(value) ? [] : [`${at}: ${JSON.stringify(value)} is none of ${shape.values.join(', ')}`]
    case 'array':
      if (!Array.isArray(value)) return [`${at}: ${describe(value)}, where a list is described`]
      return distinct(value.flatMap((item) => findViolations(item, shape.of, `${path}[]`)))
    case 'map':
      if (!isObject(value)) return [`${at}: ${describe(value)}, where a map is described`]
      return distinct(Object.values(value).flatMap((item) => findViolations(item, shape.of, `${path}{}`)))
    case 'typed':
      return findTypedViolations(value, shape.resolve, path)
    case 'object': {
      if (!isObject(value)) return [`${at}: ${describe(value)}, where ${shape.name} is described`]
      const fields = shape.fields()
      return Object.entries(value).flatMap(([name, member]) => {
        const described = fields.get(name)
        const inner = path === '' ? name : `${path}.${name}`
        return described === undefined ? [`${inner}: ${shape.name} has no such field`] : findViolations(member, described, inner)
      })
    }
  }
}

function findTypedViolations(value: unknown, resolve: (typeName: string) => Shape | undefined, path: string): readonly string[] {
  if (!isObject(value)) return [`${path}: ${describe(value)}, where a message with @type is described`]
  const { '@type': type, ...rest } = value
  if (typeof type !== 'string') return [`${path}: it has no @type`]
  const shape = resolve(type.slice(type.lastIndexOf('/') + 1))
  if (shape === undefined) return [`${path}: there is no type ${type}`]
  return findViolations(shape.kind === 'object' ? rest : rest['value'], shape, path)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}
