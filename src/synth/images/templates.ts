/**
 * `ops/packer`: one template per image with what the offline baker puts into it, on Google's public Debian image. Not equal are the parts that boot
 * (kernel, loader, initial RAM disk): those come with the public image.
 */
import { KilnError } from '../../base/errors.ts'
import { indexReader } from '../../config/accounts.ts'
import { isServerImage } from '../../config/schema.images.ts'
import type { BaseImage, ServerImage } from '../../config/schema.images.ts'
import { header } from '../file.ts'
import type { SynthFile } from '../file.ts'
import { printHcl } from '../hcl/print.ts'
import { attribute, block, expression, gap, template } from '../hcl/syntax.ts'
import type { Item, Value } from '../hcl/syntax.ts'
import type { ImageFacts, SynthInput } from '../input.ts'
import { terraformLabel } from '../modules/stack.ts'
import { baseScript, serverScript, uploadName } from './scripts.ts'

/** The plugin as it is tried in conformance. */
export const packerVersions = { packer: '>= 1.7.0', googlecompute: '~> 1.1' } as const

/** Variables that every image's template has; for a build of one image (`-only`). */
export const packerVariables = { name: 'image_name', description: 'image_description', labels: 'image_labels' } as const

/** Where the templates are, below the folder of the config. */
export const packerFolder = 'ops/packer'
const publicFamilies = { bullseye: 'debian-11', bookworm: 'debian-12', trixie: 'debian-13' } as const

/** All files of `ops/packer`. */
export function packerFiles(input: SynthInput): readonly SynthFile[] {
  const images = Object.entries(input.config.images)
  return [
    file('plugins.pkr.hcl', [
      block(
        'packer',
        [],
        [
          attribute('required_version', packerVersions.packer),
          block('required_plugins', [], [attribute('googlecompute', { source: 'github.com/hashicorp/googlecompute', version: packerVersions.googlecompute })]),
        ],
      ),
    ]),
    file('variables.pkr.hcl', [
      variable('project', 'Id of the project', input.config.project.id),
      variable('region', 'Region of the Python index', input.config.location.region),
      variable('zone', 'Zone of the VMs that bake', input.config.location.zone),
      ...pythonPackages(input).map((name) => variable(versionVariable(name), `Version of ${name} to install. Empty: the newest in the index`, '')),
      variable(packerVariables.name, 'Name of the image that is made. Empty: its family and the time', ''),
      variable(packerVariables.description, 'Description of the image that is made', input.description),
      variable(packerVariables.labels, 'Labels of the image that is made', input.labels, 'map(string)'),
      ...images.map(([name]) => variable(familyVariable(name), `Family that the image of ${name} joins. Empty: none, until it is tested`, name)),
    ]),
    ...images.flatMap(([name, image]) => imageFiles(input, name, image)),
  ]
}

function imageFiles(input: SynthInput, name: string, image: BaseImage | ServerImage): readonly SynthFile[] {
  const facts = input.images[name]
  if (facts === undefined || (facts.type === 'server') !== isServerImage(image)) throw new KilnError('E_PLAN', `what is in the image ${name} was not read before synthesis`)
  if (!isServerImage(image)) {
    return [file(`${name}.pkr.hcl`, baseTemplate(input, name, image)), script(name, baseScript(image.packages, facts.versions))]
  }
  if (facts.type !== 'server') return []
  return [
    file(`${name}.pkr.hcl`, serverTemplate(input, name, image, facts)),
    script(name, serverScript(name, image, facts)),
    { path: `${packerFolder}/${name}/${facts.unitName}`, text: `${header()}${facts.unit}`, mode: 0o644 },
  ]
}

function file(name: string, items: readonly Item[]): SynthFile {
  return { path: `${packerFolder}/${name}`, text: `${header()}\n${printHcl(items)}`, mode: 0o644 }
}

function script(name: string, text: string): SynthFile {
  return { path: `${packerFolder}/${name}/provision.sh`, text, mode: 0o755 }
}

function variable(name: string, description: string, value: Value, type = 'string'): Item {
  return block('variable', [name], [attribute('description', description), attribute('type', expression(type)), attribute('default', value)])
}

/** `moshi-server` -> `moshi_server_version` */
export function versionVariable(packageName: string): string {
  return `${terraformLabel(packageName)}_version`
}

/** `moshi-srv` -> `moshi_srv_family` */
export function familyVariable(image: string): string {
  return `${terraformLabel(image)}_family`
}

function pythonPackages({ config }: SynthInput): readonly string[] {
  return [...new Set(Object.values(config.images).flatMap((image) => (isServerImage(image) ? image.python : [])))].sort()
}

/** What every image's source has. */
function source(input: SynthInput, name: string, from: readonly Item[], more: readonly Item[] = []): Item {
  return block(
    'source',
    ['googlecompute', terraformLabel(name)],
    [
      attribute('project_id', expression('var.project')),
      attribute('zone', expression('var.zone')),
      ...from,
      attribute('machine_type', 'e2-medium'),
      attribute('disk_size', 10),
      attribute('ssh_username', 'packer'),
      attribute('ssh_timeout', '15m'),
      ...more,
      attribute('image_name', expression(`var.${packerVariables.name} == "" ? "${name}-{{timestamp}}" : var.${packerVariables.name}`)),
      attribute('image_family', expression(`var.${familyVariable(name)}`)),
      attribute('image_description', expression(`var.${packerVariables.description}`)),
      attribute('image_labels', expression(`var.${packerVariables.labels}`)),
    ],
  )
}

function build(name: string, provisioners: readonly Item[]): Item {
  return block('build', [], [attribute('name', name), attribute('sources', [`source.googlecompute.${terraformLabel(name)}`]), ...provisioners])
}

function provisionScript(name: string, variables: readonly Value[] = []): Item {
  return block(
    'provisioner',
    ['shell'],
    [...(variables.length === 0 ? [] : [attribute('environment_vars', variables)]), attribute('script', template(expression('path.root'), `/${name}/provision.sh`))],
  )
}

function baseTemplate(input: SynthInput, name: string, image: BaseImage): readonly Item[] {
  const from = [attribute('source_image_family', publicFamilies[image.debian]), attribute('source_image_project_id', ['debian-cloud'])]
  return [source(input, name, from), build(name, [provisionScript(name)])]
}

function serverTemplate(input: SynthInput, name: string, image: ServerImage, facts: ImageFacts & { readonly type: 'server' }): readonly Item[] {
  const { config } = input
  const reader = indexReader(config)
  // Without an account that may read the index, pip gets a 401.
  const account: readonly Item[] =
    reader === undefined || image.python.length === 0
      ? []
      : [
          gap,
          attribute('service_account_email', template(`${reader}@`, expression('var.project'), '.iam.gserviceaccount.com')),
          attribute('scopes', ['https://www.googleapis.com/auth/cloud-platform']),
          gap,
        ]
  const uploads = [
    ...Object.keys(image.files).map((local, index) => upload(template(expression('path.root'), `/../../${local.replace(/^\.\//, '')}`), uploadName(index, local))),
    upload(template(expression('path.root'), `/${name}/${facts.unitName}`), facts.unitName),
  ]
  const variables: Value[] =
    image.python.length === 0
      ? []
      : [
          template('INDEX=https://', expression('var.region'), '-python.pkg.dev/', expression('var.project'), `/${config.package.repository}/simple/`),
          template('REQUIREMENTS=', ...requirements(image.python)),
        ]
  return [source(input, name, [attribute('source_image_family', image.from)], account), build(name, [...uploads, provisionScript(name, variables)])]
}

/** `moshi-server==0.1.0 other`, each with its version when one is given. */
function requirements(python: readonly string[]): (string | ReturnType<typeof expression>)[] {
  return python.flatMap((name, index) => [`${index === 0 ? '' : ' '}${name}`, expression(`var.${versionVariable(name)} == "" ? "" : "==\${var.${versionVariable(name)}}"`)])
}

function upload(from: Value, name: string): Item {
  return block('provisioner', ['file'], [attribute('source', from), attribute('destination', `/tmp/${name}`)])
}
