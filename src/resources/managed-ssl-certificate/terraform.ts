/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_managed_ssl_certificate */
import type { TerraformMapping } from '../terraform.ts'
import type { ManagedSslCertificateProps } from './schema.ts'

export const managedSslCertificateTerraform: TerraformMapping<ManagedSslCertificateProps> = (name, props) => ({
  type: 'google_compute_managed_ssl_certificate',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    managed: [{ domains: props.domains }],
    ...(props.description === '' ? {} : { description: props.description }),
    // a proxy moves to the new one before the old one goes
    lifecycle: { create_before_destroy: true },
  },
})
