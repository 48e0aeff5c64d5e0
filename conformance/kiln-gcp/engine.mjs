/**
 * `engine.mjs direct|own [KIND…]`: the direct engine over the resources of ./stack, of these kinds or all, without what is baked and rolled out.
 * direct: it makes everything, as on the pocket cloud. own: Terraform has made its part, and the engine does only what is its own on Google.
 */
import { join } from 'node:path'

const load = (path) => import(join(process.env.ROOT, 'src', path))
const [
  { loadStack },
  { compileStack },
  { readFacts },
  { planStack },
  { applyPlan },
  { memoryInventory },
  { resourceKinds },
  { ownedByTerraform },
  { createClients },
  { closureOf },
] = await Promise.all(
  [
    'config/load.ts',
    'compile/compile.ts',
    'app/stack/facts.ts',
    'engine/plan.ts',
    'engine/apply.ts',
    'engine/inventory.ts',
    'resources/kinds.ts',
    'app/gcp/owned-kind.ts',
    'client/clients.ts',
    'app/stack/part.ts',
  ].map(load),
)
const [mode, ...only] = process.argv.slice(2)
const signal = new AbortController().signal
const stack = await loadStack('stack')
const image = `projects/${stack.config.project.id}/global/images/moshi-srv-1`
const all = compileStack(stack.config, await readFacts(stack, signal)).filter(({ kind }) => resourceKinds.has(kind))
const there = new Set(all.map(({ address }) => address))
// the development VM is only of `kiln dev`
const dev = new Set([`instance/moshi-dev`, 'firewall/allow-kiln-ssh', 'firewall/kiln-moshi-srv'])
const desired = all
  .filter(({ address }) => !dev.has(address))
  .map((resource) => ({
    ...resource,
    props: 'image' in resource.props ? { ...resource.props, image } : resource.props,
    dependsOn: resource.dependsOn.filter((address) => there.has(address)),
  }))
const wanted =
  only.length === 0
    ? desired
    : closureOf(
        desired,
        desired.filter(({ kind }) => only.includes(kind)).map(({ address }) => address),
      )
const engine = {
  stack: stack.config.project.id,
  kinds: [...resourceKinds.values()].map(({ kind }) => (mode === 'own' ? ownedByTerraform(kind) : kind)),
  clients: createClients({ version: 'conformance' }),
  inventory: memoryInventory(),
  signal,
}
const { changes } = await applyPlan(engine, await planStack(engine, wanted))
console.log(`${mode}: ${changes} changes in ${wanted.length} resources`)
// what was made is as it was wanted: each kind sees nothing left to do
const again = await planStack(mode === 'own' ? { ...engine, kinds: [...resourceKinds.values()].map(({ kind }) => kind) } : engine, wanted)
const left = again.plan.nodes.filter(({ action }) => action !== 'noop')
for (const { address, action, reasons } of left) console.log(`${action} ${address}: ${reasons.join('; ')}`)
process.exitCode = left.length === 0 ? 0 : 1
