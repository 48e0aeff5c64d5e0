/**
 * From a stack to the files that a team would have written by hand: Terraform, Packer, workflows, Makefile. Pure: the same config and facts give
 * the same bytes. `src/app/synth.ts` reads the facts and writes the files.
 */
import { header } from './file.ts'
import type { SynthFile } from './file.ts'
import { workflowFiles } from './workflows/workflows.ts'
import type { SynthInput } from './input.ts'
import { makefile } from './make/makefile.ts'
import { bootstrapScript, toolsMakefile } from './make/tools.ts'
import { packerFiles } from './images/templates.ts'
import { terraformFiles } from './modules/root.ts'

/**
 * All files of a stack, sorted by path.
 * @throws KilnError E_PLAN for a resource kind without a component
 */
export function synthesise(input: SynthInput): readonly SynthFile[] {
  const files = [
    ...terraformFiles(input),
    ...packerFiles(input),
    ...workflowFiles(input),
    makefile(input),
    bootstrapScript(input),
    toolsMakefile(input),
    { path: 'ops/.gitignore', text: `${header()}.terraform/\n*.tfplan\n*.tfstate*\ncrash.log\npacker_cache/\n`, mode: 0o644 },
  ]
  return files.toSorted((left, right) => (left.path < right.path ? -1 : 1))
}
