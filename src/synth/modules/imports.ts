/** `imports.tf`: by it Terraform takes over what exists already, instead of failing to make it again. */
import { attribute, block, expression } from '../hcl/syntax.ts'
import type { Item } from '../hcl/syntax.ts'
import type { ResourceBlock } from './stack.ts'

/** One `import` block per resource. */
export function importsOf(blocks: readonly ResourceBlock[]): readonly Item[] {
  return blocks.flatMap((one) =>
    one.members.map(({ resource, key }) =>
      block(
        'import',
        [],
        [
          attribute('to', expression(`module.${one.component}.${one.type}.${one.label}${key === undefined ? '' : `[${JSON.stringify(key)}]`}`)),
          attribute('id', one.place.importId(resource.props)),
        ],
      ),
    ),
  )
}
