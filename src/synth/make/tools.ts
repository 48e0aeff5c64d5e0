/** What is needed to leave Kiln: the project's beginning as a script, and the runbook's targets with the original tools. */
import { isServerImage } from '../../config/schema.images.ts'
import { stateBucketName } from '../../compile/names.ts'
import { header } from '../file.ts'
import type { SynthFile } from '../file.ts'
import type { SynthInput } from '../input.ts'
import { shellWord } from '../images/scripts.ts'
import { versionVariable } from '../images/templates.ts'
import { imageVariable } from '../modules/module.ts'
import { componentsOf } from '../modules/places.ts'
import { devVariables, isOnDemand } from '../modules/root.ts'
import { authLines, buildTarget, printTargets, testTarget } from './makefile.ts'
import type { Target } from './makefile.ts'

/** `ops/bootstrap.sh`: what must be there before Terraform can run. */
export function bootstrapScript({ config }: SynthInput): SynthFile {
  const { id, name, billingAccount } = config.project
  const text = `#!/usr/bin/env bash
${header()}# Once per project, before Terraform: the project, its billing, and the bucket of Terraform's state. Safe to repeat.
set -euo pipefail
project=\${PROJECT:-${id}}
billing=\${BILLING_ACCOUNT:-${billingAccount ?? ''}}
bucket=gs://\${STATE_BUCKET:-${stateBucketName(id)}}

gcloud projects describe "$project" --format='value(projectId)' 2>/dev/null || gcloud projects create "$project" --name ${shellWord(name)}
if [ -n "$billing" ] && [ "$(gcloud beta billing projects describe "$project" --format='value(billingEnabled)')" != True ]; then
  gcloud beta billing projects link "$project" --billing-account="$billing"
fi
gcloud services enable --project "$project" serviceusage.googleapis.com cloudresourcemanager.googleapis.com storage.googleapis.com
gcloud storage buckets describe "$bucket" --format='value(name)' 2>/dev/null ||
  gcloud storage buckets create "$bucket" --project "$project" --location ${config.location.region} --uniform-bucket-level-access --public-access-prevention
# An older state can be brought back.
gcloud storage buckets update "$bucket" --versioning
`
  return { path: 'ops/bootstrap.sh', text, mode: 0o755 }
}

/** `ops/tools.mk`: the targets of the Makefile, without Kiln. */
export function toolsMakefile(input: SynthInput): SynthFile {
  const { config } = input
  const { region } = config.location
  const index = `https://${region}-python.pkg.dev/$(PROJECT)/${config.package.repository}/`
  const images = Object.entries(config.images)
  const bases = images.filter(([, image]) => !isServerImage(image)).map(([name]) => name)
  const servers = images.flatMap(([name, image]) => (isServerImage(image) ? [{ name, image }] : []))
  const packer = (name: string, more = ''): string => `packer build -only=${shellWord(`${name}.*`)} -var project=$(PROJECT)${more} ops/packer`
  const targets: readonly Target[] = [
    { name: 'bootstrap', help: 'project, billing, state bucket: once', lines: ['PROJECT=$(PROJECT) ops/bootstrap.sh'] },
    { name: 'auth', help: 'sign in to Google Cloud, as yourself and for programs', lines: authLines('$(PROJECT)') },
    {
      name: 'init',
      help: 'Terraform and Packer fetch their plugins',
      lines: ['terraform -chdir=ops/terraform init -input=false -backend-config=state.gcs.tfbackend', 'packer init ops/packer'],
    },
    { name: 'plan', help: 'what `apply` would change', lines: [`terraform -chdir=ops/terraform plan -input=false${keepsDev(input)} $(TF)`] },
    { name: 'apply', help: 'all components', lines: [`terraform -chdir=ops/terraform apply -input=false${keepsDev(input)} $(TF)`] },
    {
      name: 'apply-base',
      help: 'what publishing and baking need',
      lines: [
        `terraform -chdir=ops/terraform apply -input=false $(TF) ${baseComponents(input)
          .map((name) => `-target=module.${name}`)
          .join(' ')}`,
      ],
    },
    buildTarget(config.package.source),
    {
      name: 'publish',
      needs: ['build'],
      help: 'the wheel of dist/ into the private index',
      lines: [
        `TWINE_PASSWORD="$$(gcloud auth print-access-token)" twine upload --non-interactive --disable-progress-bar --repository-url ${index} -u oauth2accesstoken dist/*.whl`,
      ],
    },
    { name: 'bake-base', help: bases.join(', '), lines: bases.map((name) => packer(name)) },
    {
      name: 'bake',
      help: servers.map(({ name }) => name).join(', '),
      lines: servers.map(({ name, image }) => packer(name, image.python.map((one) => ` -var '${versionVariable(one)}=$(VERSION)'`).join(''))),
    },
    ...devTargets(input),
    testTarget(config.package.source),
    ...serverTargets(input),
  ]
  const text = `${header()}# The runbook with the original tools: terraform, packer, twine, gcloud. Nothing here needs Kiln: make -f ops/tools.mk TARGET
PROJECT ?= ${config.project.id}
# Version of the Python package to bake; empty: the newest in the index
VERSION ?=
# More arguments of Terraform, such as -auto-approve
TF ?=
${hasDevOnDemand(input) ? '# true: the development VM, which `dev` makes, stays\nKEEP_DEV ?= false\n' : ''}
${printTargets(targets)}`
  return { path: 'ops/tools.mk', text, mode: 0o644 }
}

/** Components that must be there before images can be baked. */
function baseComponents({ desired }: SynthInput): readonly string[] {
  return componentsOf(desired).filter((name) => ['apis', 'accounts', 'pypi', 'storage', 'github'].includes(name))
}

function newest(image: string): string {
  return `$$(gcloud compute images describe-from-family ${image} --project $(PROJECT) --format='value(selfLink.scope(v1))')`
}

function hasDevOnDemand({ config, desired }: SynthInput): boolean {
  return config.dev !== undefined && isOnDemand('dev', { desired })
}

/** Where the development VM is on demand, whoever applies everything says whether it stays. */
function keepsDev(input: SynthInput): string {
  return hasDevOnDemand(input) ? ` -var ${devVariables.isThere}=$(KEEP_DEV)` : ''
}

function devTargets(input: SynthInput): readonly Target[] {
  const { dev } = input.config
  if (dev === undefined) return []
  const { image } = dev
  const isThere = hasDevOnDemand(input) ? ` -var ${devVariables.isThere}=true` : ''
  return [
    { name: 'cycle', needs: ['publish', 'bake', 'dev'], help: 'publish, bake, and the dev VM from the new image', lines: [] },
    {
      name: 'dev',
      help: 'the dev VM from the newest image',
      lines: [`terraform -chdir=ops/terraform apply -input=false $(TF) -target=module.dev${isThere} -var ${imageVariable(image)}="${newest(image)}"`],
    },
  ]
}

/** Rolling out and back with gcloud: a template per image, and the group is told to run it. */
function serverTargets({ config, desired }: SynthInput): readonly Target[] {
  const { server } = config
  const group = desired.find((one) => one.kind === 'instance-group')?.props
  const template = desired.find((one) => one.kind === 'instance-template')?.props
  const address = desired.find((one) => one.kind === 'global-address')?.props
  const image = server === undefined ? undefined : config.images[server.image]
  if (server === undefined || group === undefined || template === undefined || image === undefined || !isServerImage(image)) return []
  const where = `${String(group['name'])} --project $(PROJECT) --zone ${config.location.zone}`
  const labels = Object.entries(template['labels'] as Readonly<Record<string, string>>)
  const tags = template['tags'] as readonly string[]
  const account =
    template['serviceAccount'] === undefined ? ['--no-service-account', '--no-scopes'] : [`--service-account=${String(template['serviceAccount'])}`, '--scopes=cloud-platform']
  const flags = [`--machine-type=${server.machineType}`, `--tags=${tags.join(',')}`, `--labels=${labels.map(([name, text]) => `${name}=${text}`).join(',')}`, ...account]
  return [
    {
      name: 'deploy',
      help: 'a template with the newest image, rolled out VM by VM',
      lines: [
        `image="${newest(server.image)}" && name=${String(template['name'])}-$$(date +%s) && \\`,
        `  gcloud compute instance-templates create "$$name" --project $(PROJECT) --image="$$image" ${flags.join(' ')} && \\`,
        `  gcloud compute instance-groups managed rolling-action start-update ${where} --version=template="$$name" --max-surge=1 --max-unavailable=0`,
        `gcloud compute instance-groups managed wait-until ${where} --version-target-reached`,
      ],
    },
    {
      name: 'rollback',
      help: 'the group back to TEMPLATE (gcloud compute instance-templates list)',
      lines: [
        `gcloud compute instance-groups managed rolling-action start-update ${where} --version=template=$(TEMPLATE) --max-surge=1 --max-unavailable=0`,
        `gcloud compute instance-groups managed wait-until ${where} --version-target-reached`,
      ],
    },
    ...(address === undefined
      ? []
      : [
          {
            name: 'healthcheck',
            help: 'fails unless the load balancer answers',
            lines: [
              `curl -fsS --retry 20 --retry-all-errors --max-time 10 "http://$$(gcloud compute addresses describe ${String(address['name'])} --global --project $(PROJECT) --format='value(address)')${image.health.path}"`,
            ],
          },
        ]),
  ]
}
