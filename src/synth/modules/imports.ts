/** `imports.tf`: by it Terraform takes over what exists already, instead of failing to make it again. */
import { attribute, block, expression } from '../hcl/syntax.ts'
import type { Item } from '../hcl/syntax.ts'
import type { ResourceBlock } from './stack.ts'

/** One `import` block per resource whose id is known beforehand. */
export function importsOf(blocks: readonly ResourceBlock[]): readonly Item[] {
  return blocks.flatMap((one) =>
    one.members.flatMap(({ resource, key }) => {
      const id = one.place.importId(resource.props)
      const to = `module.${one.component}.${one.type}.${one.label}${key === undefined ? '' : `[${JSON.stringify(key)}]`}`
      return id === undefined ? [] : [block('import', [], [attribute('to', expression(to)), attribute('id', id)])]
    }),
  )
}
