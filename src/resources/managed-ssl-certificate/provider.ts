/** Managed certificates of load balancers. https://cloud.google.com/compute/docs/reference/rest/v1/sslCertificates */
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, part } from '../resource.ts'
import { managedSslCertificateResource } from './resource.ts'
import { ManagedSslCertificateProps } from './schema.ts'
import type { ManagedSslCertificateAttributes } from './schema.ts'

/** Making one does not wait until it is signed: on Google that needs the names to lead here, and they can only do so afterwards. */
export const managedSslCertificateKind = computeKind<ManagedSslCertificateProps, ManagedSslCertificateAttributes>({
  resource: managedSslCertificateResource,
  schema: ManagedSslCertificateProps,
  noun: 'managed certificate',
  createBeforeDelete: true,

  async read(compute, identity, options) {
    const certificate = await call(compute.sslCertificates.get({ ...projectOf(identity), sslCertificate: part(identity, 'name') }, options))
    return {
      name: certificate.name ?? '',
      selfLink: certificate.selfLink ?? '',
      type: certificate.type ?? '',
      domains: certificate.managed?.domains ?? [],
      status: certificate.managed?.status ?? '',
    }
  },

  diff: (props, observed) =>
    compare(managedSslCertificateResource, {
      type: [observed.type, 'MANAGED'],
      domains: [observed.domains.toSorted(), props.domains.toSorted()],
    }),

  insert: (compute, props, options) =>
    compute.sslCertificates.insert(
      { project: props.projectId, requestBody: { name: props.name, description: props.description, type: 'MANAGED', managed: { domains: props.domains } } },
      options,
    ),

  remove: (compute, identity, options) => compute.sslCertificates.delete({ ...projectOf(identity), sslCertificate: part(identity, 'name') }, options),
})
