/** Checks that look at several sections at once, and the order in which images are made. */
import { KilnError } from '../base/errors.ts'
import { sectionProblems } from './checks.sections.ts'
import { isServerImage } from './schema.images.ts'
import { Stack } from './schema.ts'
import type { StackConfig } from './schema.ts'
import { invalidConfig, problemsOf, repeated, unknownName } from './problems.ts'
import type { Problem } from './problems.ts'

/**
 * Checks what a config file exports, and fills in the defaults.
 * @param file shown in messages.
 * @throws KilnError E_CONFIG_INVALID that names key paths; E_CONFIG_CYCLE that names the images of the circle.
 */
export function parseStack(input: unknown, file = 'kiln.config.ts'): StackConfig {
  const result = Stack.safeParse(input)
  if (!result.success) throw invalidConfig(problemsOf(result.error), file)
  const config = result.data
  const problems = [...imageProblems(config), ...machineProblems(config), ...sectionProblems(config)]
  if (problems.length > 0) throw invalidConfig(problems, file)
  imageOrder(config)
  return config
}

/** Image names in the order in which they must be made: every image after the one that it is made from. @throws KilnError E_CONFIG_CYCLE. */
export function imageOrder(config: Pick<StackConfig, 'images'>): readonly string[] {
  const order = new Set<string>()
  for (const name of Object.keys(config.images)) addImage(config, name, [], order)
  return [...order]
}

function addImage(config: Pick<StackConfig, 'images'>, name: string, chain: readonly string[], order: Set<string>): void {
  if (order.has(name)) return
  const start = chain.indexOf(name)
  if (start >= 0) {
    const circle = [...chain.slice(start), name]
    throw new KilnError('E_CONFIG_CYCLE', `images.${name}.from: the images are made from each other in a circle: ${circle.join(' -> ')}`, {
      hint: 'one of them must start from a Debian suite: { debian: "bookworm" }',
    })
  }
  const image = config.images[name]
  if (image !== undefined && isServerImage(image)) addImage(config, image.from, [...chain, name], order)
  order.add(name)
}

function imageProblems(config: StackConfig): readonly Problem[] {
  const problems: Problem[] = []
  const names = Object.keys(config.images)
  for (const [name, image] of Object.entries(config.images)) {
    if (!isServerImage(image)) continue
    const path = ['images', name]
    if (config.images[image.from] === undefined) problems.push({ path: [...path, 'from'], message: unknownName('an image of this config', image.from, names) })
    else if (image.engine === 'offline' && config.images[image.from]?.engine === 'packer') {
      problems.push({
        path: [...path, 'engine'],
        message: `expected "packer", since Packer makes "${image.from}": what is baked on this machine cannot stand on an image that is only in the project`,
      })
    }
    const places = new Map<string, string>()
    for (const [source, place] of Object.entries(image.files)) {
      const clash = [...places].find(([other]) => other === place || other.startsWith(`${place}/`) || place.startsWith(`${other}/`))
      if (clash?.[0] === place) problems.push({ path: [...path, 'files', source], message: `${place} is also the place of ${clash[1]}` })
      else if (clash !== undefined) problems.push({ path: [...path, 'files', source], message: `${place} and ${clash[0]} (from ${clash[1]}) cannot both be files` })
      const reserved = [`/opt/${name}/venv`, '/proc', '/sys', '/dev', '/run', '/tmp', '/boot'].find((folder) => place === folder || place.startsWith(`${folder}/`))
      if (reserved !== undefined) problems.push({ path: [...path, 'files', source], message: `files cannot be put into ${reserved}` })
      places.set(place, source)
    }
    problems.push(...repeated([...path, 'python'], image.python))
  }
  return problems
}

function machineProblems(config: StackConfig): readonly Problem[] {
  const problems: Problem[] = []
  const serverImages = Object.entries(config.images).flatMap(([name, image]) => (isServerImage(image) ? [name] : []))
  for (const key of ['dev', 'server'] as const) {
    const machine = config[key]
    if (machine === undefined) continue
    const image = config.images[machine.image]
    if (image === undefined) problems.push({ path: [key, 'image'], message: unknownName('an image of this config', machine.image, serverImages) })
    else if (!isServerImage(image))
      problems.push({
        path: [key, 'image'],
        message: `"${machine.image}" has no server in it; expected an image that is made with "from"${serverImages.length === 0 ? '' : `: ${serverImages.join(', ')}`}`,
      })
    const accounts = Object.keys(config.serviceAccounts)
    if (machine.serviceAccount !== undefined && !accounts.includes(machine.serviceAccount)) {
      problems.push({ path: [key, 'serviceAccount'], message: unknownName('an account of `serviceAccounts`', machine.serviceAccount, accounts) })
    }
  }
  return problems
}
