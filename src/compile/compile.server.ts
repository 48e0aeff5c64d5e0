/**
 * The production server of a stack: a managed group of VMs behind an HTTP load balancer, the ledger of its releases, and the release that the config asks for.
 * The engine makes the group empty; size and image are the deployer's from the first release on, so every VM boots once.
 */
import type { Address, DesiredResource } from '../engine/types.ts'
import { stackLabel } from '../resources/resource.ts'
import { resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { githubDeployer } from './compile.github.ts'
import { plainHostRules, compileHttps } from './compile.https.ts'
import { imageAddress } from './compile.images.ts'
import { neededByServer } from './compile.parts.ts'
import { servingOf, servingPortName } from './serving.ts'
import type { Serving, ServingShape } from './serving.ts'

/** Where Google's load balancers and health probes come from. https://cloud.google.com/load-balancing/docs/firewall-rules */
const balancerRanges: readonly string[] = ['130.211.0.0/22', '35.191.0.0/16']

/** Traffic leaves a sick VM after a quarter of a minute: a small machine that is busy with a neighbour's start may be slow for some seconds, and must not lose its requests. */
const balancerCadence = { intervalSeconds: 5, timeoutSeconds: 5, healthyThreshold: 1, unhealthyThreshold: 3 }
/** A VM is made anew only after a minute of bad answers: under load a server may be slow without being broken. */
const healingCadence = { intervalSeconds: 10, timeoutSeconds: 10, healthyThreshold: 1, unhealthyThreshold: 6 }

/** Props of the bucket that the ledger lies in; its removal takes what releases made with it. */
export interface ReleaseLedgerProps {
  readonly projectId: string
  readonly name: string
  readonly location: string
  readonly labels: Readonly<Record<string, string>>
  readonly stack: string
  /** The managed group; blue/green has a second one. */
  readonly group: string
  /** Members that write records beside whoever runs Kiln: GitHub's account. */
  readonly writers?: readonly string[]
}

/** Props of the release that should serve. */
export interface ReleaseProps {
  readonly projectId: string
  readonly zone: string
  readonly bucket: string
  readonly stack: string
  readonly group: string
  readonly size: number
  /** Link of the image. */
  readonly image: unknown
  readonly shape: ServingShape
}

/**
 * From the config's `server` section to desired resources, each after what it needs; nothing without that section.
 * @example compileServer({ config, facts, projectId, labels, description })
 */
export function compileServer(compilation: Compilation): readonly DesiredResource[] {
  const { config, projectId, labels, description } = compilation
  const serving = servingOf(config, labels[stackLabel])
  if (serving === undefined) return []
  const { name, server, image, shape } = serving
  const { path: requestPath, port } = image.health
  const compute = serviceAddress('compute.googleapis.com')
  const common = { projectId, name, description }
  const check = { projectId, requestPath, port, description }
  const self = (kind: string, called = name) => ({ $ref: `${kind}/${called}`, attribute: 'selfLink' }) as const
  const account = shape.serviceAccount === undefined ? {} : { serviceAccount: shape.serviceAccount }

  const rules = firewallRules(compilation, serving)
  const ledger = compileLedger(compilation, serving)
  const group = resource(
    'instance-group',
    name,
    {
      ...common,
      zone: serving.zone,
      baseInstanceName: name,
      template: self('instance-template'),
      // no targetSize: the first release brings the size, and updates of the config do
      firstSize: 0,
      namedPorts: { [servingPortName]: port },
      autoHealing: { healthCheck: self('health-check', serving.healingCheck), initialDelaySeconds: serving.healingDelaySeconds },
    },
    [compute, ...rules.map((rule) => rule.address), ledger.address, ...neededByServer(compilation, server.serviceAccount)],
  )
  const service = self('backend-service')
  const resources = [
    ...rules,
    resource('health-check', name, { ...check, name, ...balancerCadence }, [compute]),
    resource('health-check', serving.healingCheck, { ...check, name: serving.healingCheck, ...healingCadence }, [compute]),
    ledger,
    resource(
      'instance-template',
      name,
      {
        ...common,
        seed: true,
        machineType: server.machineType,
        image: { $ref: imageAddress(server.image), attribute: 'selfLink' },
        tags: shape.tags,
        labels: shape.labels,
        metadata: shape.metadata,
        ...account,
      },
      [compute],
    ),
    group,
    resource(
      'backend-service',
      name,
      {
        ...common,
        groups: [{ $ref: group.address, attribute: 'instanceGroup' }],
        // blue/green: which of the two groups gets requests is the deployer's
        guests: [`projects/${projectId}/zones/${serving.zone}/instanceGroups/${name}-green`],
        healthCheck: self('health-check'),
        portName: servingPortName,
        drainingSeconds: server.drainSeconds,
      },
      [compute],
    ),
    resource(
      'url-map',
      name,
      // other hosts, such as the bare address, lead to the same server
      { ...common, defaultService: service, hostRules: plainHostRules(server.domains) },
      [compute],
    ),
    resource('target-http-proxy', name, { ...common, urlMap: self('url-map') }, [compute]),
    resource('global-address', name, { ...common, labels }, [compute]),
    resource('forwarding-rule', name, { ...common, target: self('target-http-proxy'), address: { $ref: `global-address/${name}`, attribute: 'address' }, port: 80, labels }, [
      compute,
    ]),
    ...compileHttps(compilation, name, server.domains, service),
  ]
  return [...resources, compileRelease(serving, resources)]
}

/** The load balancer reaches the VMs, and whoever rolls a release out may ask each for its version. */
function firewallRules({ facts, projectId, description }: Compilation, { name, server, image }: Serving): readonly DesiredResource[] {
  const compute = serviceAddress('compute.googleapis.com')
  const rule = (called: string, sourceRanges: readonly string[]): DesiredResource =>
    resource('firewall', called, { projectId, name: called, description, ports: [String(image.health.port)], sourceRanges, targetTags: [name] }, [compute])
  const operators = facts.operatorRanges ?? []
  return [rule(`allow-${name}`, balancerRanges), ...(server.versionPath === false || operators.length === 0 ? [] : [rule(`ask-${name}`, operators)])]
}

function compileLedger({ config, projectId, labels }: Compilation, serving: Serving): DesiredResource {
  const deployer = githubDeployer(config)
  const props: ReleaseLedgerProps = {
    projectId,
    name: serving.bucket,
    location: config.location.region,
    labels,
    stack: serving.stack,
    group: serving.name,
    ...(deployer === undefined ? {} : { writers: [deployer.member] }),
  }
  // the second group of blue/green, which goes with the ledger, uses the health checks
  const checks = [serving.name, serving.healingCheck].map((name): Address => `health-check/${name}`)
  return resource('release-ledger', serving.bucket, { ...props }, [
    serviceAddress('storage.googleapis.com'),
    serviceAddress('compute.googleapis.com'),
    ...(deployer === undefined ? [] : [deployer.address]),
    ...checks,
  ])
}

/** Rolled out when all else is there. */
function compileRelease(serving: Serving, resources: readonly DesiredResource[]): DesiredResource {
  const props: ReleaseProps = {
    projectId: serving.projectId,
    zone: serving.zone,
    bucket: serving.bucket,
    stack: serving.stack,
    group: serving.name,
    size: serving.server.size,
    image: { $ref: imageAddress(serving.family), attribute: 'selfLink' },
    shape: serving.shape,
  }
  return resource(
    'release',
    serving.name,
    { ...props },
    resources.map((one) => one.address),
  )
}
