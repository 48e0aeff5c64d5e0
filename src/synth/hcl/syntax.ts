/** HCL as data: what a file of Terraform or Packer consists of. `print.ts` writes it as `terraform fmt` and `packer fmt` leave it. */

/** Text that stands in a file as it is: `var.project`, `google_storage_bucket.images.name`. Never made of the user's words. */
export class Expression {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** A string with expressions in it: `"${var.project}-images"`. Its plain parts are escaped when they are printed. */
export class Template {
  readonly parts: readonly (string | Expression)[]
  constructor(parts: readonly (string | Expression)[]) {
    this.parts = parts
  }
}

/** A function call; its arguments may be long lists and maps. */
export class Call {
  readonly name: string
  readonly args: readonly Value[]
  constructor(name: string, args: readonly Value[]) {
    this.name = name
    this.args = args
  }
}

export type Value = string | number | boolean | null | Expression | Template | Call | readonly Value[] | { readonly [key: string]: Value }

export interface Attribute {
  readonly item: 'attribute'
  readonly name: string
  readonly value: Value
}

/** An empty line. Blocks and long values have one around them anyway. */
export interface Gap {
  readonly item: 'gap'
}

export interface Block {
  readonly item: 'block'
  readonly type: string
  readonly labels: readonly string[]
  readonly body: readonly Item[]
  /** Lines above the block. */
  readonly comment?: string
}

export type Item = Attribute | Block | Gap

export const gap: Gap = { item: 'gap' }

/** @example attribute('project', expression('var.project')) */
export function attribute(name: string, value: Value): Attribute {
  return { item: 'attribute', name, value }
}

/** @example block('variable', ['project'], [attribute('type', expression('string'))]) */
export function block(type: string, labels: readonly string[], body: readonly Item[], comment?: string): Block {
  return { item: 'block', type, labels, body, ...(comment === undefined ? {} : { comment }) }
}

export function expression(text: string): Expression {
  return new Expression(text)
}

/** A string with expressions in it; a single expression stays one, as the formatters want it. */
export function template(...parts: readonly (string | Expression)[]): Value {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : new Template(parts)
}

export function call(name: string, ...args: readonly Value[]): Call {
  return new Call(name, args)
}

/** True for a plain map, as against the classes above and lists. */
export function isMap(value: unknown): value is { readonly [key: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Expression) && !(value instanceof Template) && !(value instanceof Call)
}
