/**
 * From a config to the resources that should be there. Pure: the same config and facts give the same list, in the order of the runbook;
 * the engine orders by refs and `dependsOn`. `python-package`, `image`, `release-ledger` and `release` are kinds of `src/app/kinds`, all others of `src/resources`.
 */
import { resolve } from 'node:path'
import type { Dev, StackConfig } from '../config/schema.ts'
import type { Address, DesiredResource } from '../engine/types.ts'
import { packageAddress, repositoryAddress, resource, serviceAddress, stackWords } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { authApis, compileAuth } from './compile.auth.ts'
import { compileDns, dnsApi } from './compile.dns.ts'
import { compileFirestore, firestoreApis } from './compile.firestore.ts'
import { compileGithub, githubApis } from './compile.github.ts'
import { compileImages, imageAddress } from './compile.images.ts'
import { compileAccess, compileStorage, neededByServer } from './compile.parts.ts'
import { compileSecrets, secretApis } from './compile.secrets.ts'
import { compileServer } from './compile.server.ts'
import type { StackFacts } from './facts.ts'
import { imageTag, sshRule, sshTag } from './names.ts'

/** APIs that every stack needs, in the order in which they are enabled. */
export const neededApis: readonly string[] = [
  'serviceusage.googleapis.com',
  'cloudresourcemanager.googleapis.com',
  'cloudbilling.googleapis.com',
  'iam.googleapis.com',
  'iamcredentials.googleapis.com',
  'artifactregistry.googleapis.com',
  'storage.googleapis.com',
  'compute.googleapis.com',
]

/** What is enabled without being named: what every stack needs, and the APIs of the sections that the config has. */
export function apisOf(config: StackConfig): readonly string[] {
  return [...neededApis, ...firestoreApis(config), ...authApis(config), ...githubApis(config), ...secretApis(config), ...(config.dns === undefined ? [] : [dnsApi])]
}

/**
 * Compiles a stack.
 * @throws KilnError E_PLAN when `facts.files` lacks a file of the config.
 * @example compileStack(config, { stackDir, files: { '/stack/entrypoint.sh': { md5 } } })
 */
export function compileStack(config: StackConfig, facts: StackFacts): readonly DesiredResource[] {
  const compilation: Compilation = { config, facts, projectId: config.project.id, ...stackWords(config, facts) }
  return [
    ...compileProject(compilation),
    ...compileServices(compilation),
    ...compileAccess(compilation),
    ...compileStorage(compilation),
    ...compileSecrets(compilation),
    ...compileFirestore(compilation),
    ...compileAuth(compilation),
    ...compileGithub(compilation),
    ...compilePackage(compilation),
    ...compileImages(compilation),
    ...compileDev(compilation),
    ...compileServer(compilation),
    ...compileDns(compilation),
  ]
}

function compileProject({ config, projectId, labels }: Compilation): readonly DesiredResource[] {
  const project = resource('project', projectId, { projectId, displayName: config.project.name, labels }, [])
  if (config.project.billingAccount === undefined) return [project]
  return [project, resource('billing', projectId, { projectId, billingAccount: config.project.billingAccount }, [project.address])]
}

function compileServices({ config, projectId }: Compilation): readonly DesiredResource[] {
  const after: Address[] = [`project/${projectId}`]
  if (config.project.billingAccount !== undefined) after.push(`billing/${projectId}`)
  const apis = [...apisOf(config), ...config.apis.toSorted()]
  return [...new Set(apis)].map((service) => resource('service', service, { projectId, service }, after))
}

function compilePackage({ config, facts, projectId }: Compilation): readonly DesiredResource[] {
  const props = { source: resolve(facts.stackDir, config.package.source), repository: config.package.repository, project: projectId, location: config.location.region }
  return [{ address: packageAddress(config, facts), kind: 'python-package', props, dependsOn: [repositoryAddress(config)] }]
}

/** The dev VM and what is made for it alone. */
export function devAddresses(dev: Dev): readonly Address[] {
  return [`instance/${dev.name}`, `firewall/${sshRule}`, `firewall/${imageTag(dev.image)}`]
}

function compileDev(compilation: Compilation): readonly DesiredResource[] {
  const { config, projectId, labels, description } = compilation
  const { dev } = config
  if (dev === undefined) return []
  const image = config.images[dev.image]
  const compute = serviceAddress('compute.googleapis.com')
  const rules: DesiredResource[] = [resource('firewall', sshRule, { projectId, name: sshRule, ports: ['22'], targetTags: [sshTag], description }, [compute])]
  if (image !== undefined && 'health' in image) {
    const name = imageTag(dev.image)
    rules.unshift(resource('firewall', name, { projectId, name, ports: [String(image.health.port)], targetTags: [name], description }, [compute]))
  }
  const account = dev.serviceAccount
  const props = {
    projectId,
    zone: config.location.zone,
    name: dev.name,
    machineType: dev.machineType,
    image: { $ref: imageAddress(dev.image), attribute: 'selfLink' },
    tags: [imageTag(dev.image), sshTag],
    labels: { ...dev.labels, ...labels },
    metadata: dev.metadata,
    ...(account === undefined ? {} : { serviceAccount: `${account}@${projectId}.iam.gserviceaccount.com` }),
  }
  const needed = neededByServer(compilation, account)
  return [...rules, resource('instance', dev.name, props, [compute, ...rules.map((rule) => rule.address), ...needed])]
}
