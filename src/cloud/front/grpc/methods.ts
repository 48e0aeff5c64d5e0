/** The methods that are served: their message types and REST forms, looked up by gRPC path and host. */
import type { Method, Type } from 'protobufjs'
import type { Catalog } from './catalog.ts'
import { compileRule } from './http-rule.ts'
import type { Binding } from './http-rule.ts'
import { findField } from './proto-json.ts'
import { grpcHosts, mixinRule, mixinServices } from './services.ts'
import type { GrpcHost, RawHttpRule } from './services.ts'
import { GrpcError } from './status.ts'
import type { ServedService } from './types.ts'

export interface ServedRpc {
  /** `google.cloud.secretmanager.v1.SecretManagerService/CreateSecret`. */
  readonly fullName: string
  readonly host: string
  readonly request: Type
  readonly response: Type
  readonly isClientStreaming: boolean
  readonly isServerStreaming: boolean
  /** Empty: no REST form. */
  readonly bindings: readonly Binding[]
  /** The field of the response that the REST body is, where it is not the whole message. */
  readonly responseBody: string | undefined
}

export interface MethodTable {
  /**
   * @param path `/package.Service/Method`
   * @param authority the host that the client asked for; anything that is no Google host (a loopback address) means "the service's own host"
   * @throws GrpcError UNIMPLEMENTED when the host does not serve it.
   */
  find(path: string, authority: string): ServedRpc
  services(): readonly ServedService[]
}

/** @param hosts the hosts whose rooms exist */
export function createMethodTable(catalog: Catalog, hosts: readonly string[]): MethodTable {
  const served = grpcHosts.filter((each) => hosts.includes(each.host))
  const compiled = new Map<string, ServedRpc>()

  function hostFor(serviceName: string, authority: string): GrpcHost {
    const packageName = serviceName.slice(0, serviceName.lastIndexOf('.'))
    const isMixin = mixinServices.includes(serviceName)
    const asked = served.find((each) => each.host === authority)
    if (asked !== undefined && (isMixin || asked.packages.includes(packageName))) return asked
    const isGoogle = authority.endsWith('.googleapis.com')
    const own = isGoogle ? undefined : served.find((each) => each.packages.includes(packageName))
    if (own !== undefined) return own
    const hint = isMixin && !isGoogle ? ' It exists on many hosts: connect through the proxy, so that the host is known.' : ''
    throw new GrpcError('UNIMPLEMENTED', `The pocket cloud serves no gRPC service ${serviceName} on ${authority}.${hint}`)
  }

  function compile(host: GrpcHost, serviceName: string, methodName: string): ServedRpc {
    const service = catalog.service(serviceName)
    const method = service !== undefined && Object.hasOwn(service.methods, methodName) ? service.methods[methodName] : undefined
    if (method === undefined) throw new GrpcError('UNIMPLEMENTED', `Unknown method ${serviceName}/${methodName}.`)
    method.resolve()
    const { resolvedRequestType: request, resolvedResponseType: response } = method
    if (request === null || response === null) throw new Error(`the types of ${serviceName}/${methodName} are not known`)
    const rule = mixinServices.includes(serviceName) ? mixinRule(host, serviceName, methodName) : annotatedRule(method)
    const responseBody = rule?.response_body === undefined ? undefined : findField(response, rule.response_body)?.name
    return {
      fullName: `${serviceName}/${methodName}`,
      host: host.host,
      request,
      response,
      isClientStreaming: method.requestStream === true,
      isServerStreaming: method.responseStream === true,
      bindings: rule === undefined ? [] : compileRule(rule, request),
      responseBody,
    }
  }

  function find(path: string, authority: string): ServedRpc {
    const [, serviceName, methodName] = /^\/([\w.]{1,200})\/(\w{1,200})$/.exec(path) ?? []
    if (serviceName === undefined || methodName === undefined) throw new GrpcError('UNIMPLEMENTED', `Not a gRPC method: ${JSON.stringify(path.slice(0, 200))}.`)
    const host = hostFor(serviceName, authority)
    const key = `${host.host}${path}`
    const known = compiled.get(key)
    if (known !== undefined) return known
    // Only methods that exist are kept, so that clients cannot fill the table.
    const rpc = compile(host, serviceName, methodName)
    compiled.set(key, rpc)
    return rpc
  }

  return {
    find,
    services: () =>
      served.flatMap((host) =>
        [...host.packages.flatMap((each) => catalog.servicesOf(each)), ...mixinServices].map((service) => ({
          host: host.host,
          service,
          methods: (catalog.service(service)?.methodsArray ?? []).map((method) => {
            const [binding] = find(`/${service}/${method.name}`, host.host).bindings
            return { name: method.name, rest: binding === undefined ? undefined : `${binding.method} ${binding.template}` }
          }),
        })),
      ),
  }
}

/** The method's own google.api.http annotation. */
function annotatedRule(method: Method): RawHttpRule | undefined {
  const options = method.parsedOptions as unknown as readonly Readonly<Record<string, unknown>>[] | undefined
  const found = options?.find((each) => Object.hasOwn(each, '(google.api.http)'))
  return found?.['(google.api.http)'] as RawHttpRule | undefined
}
