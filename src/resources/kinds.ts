/** The one list of resource kinds. Adding one: a new folder like its neighbours, and one line here. */
import type { Clients } from '../client/clients.ts'
import type { AnyKind, ResourceKind } from '../engine/types.ts'
import { artifactRepositoryIamMemberKind } from './artifact-repository-iam-member/provider.ts'
import { artifactRepositoryIamMemberTerraform } from './artifact-repository-iam-member/terraform.ts'
import { artifactRepositoryKind } from './artifact-repository/provider.ts'
import { artifactRepositoryTerraform } from './artifact-repository/terraform.ts'
import { backendServiceKind } from './backend-service/provider.ts'
import { backendServiceTerraform } from './backend-service/terraform.ts'
import { billingKind } from './billing/provider.ts'
import { billingTerraform } from './billing/terraform.ts'
import { bucketIamMemberKind } from './bucket-iam-member/provider.ts'
import { bucketIamMemberTerraform } from './bucket-iam-member/terraform.ts'
import { bucketObjectKind } from './bucket-object/provider.ts'
import { bucketObjectTerraform } from './bucket-object/terraform.ts'
import { bucketKind } from './bucket/provider.ts'
import { bucketTerraform } from './bucket/terraform.ts'
import { dnsManagedZoneKind } from './dns-managed-zone/provider.ts'
import { dnsManagedZoneTerraform } from './dns-managed-zone/terraform.ts'
import { dnsRecordSetKind } from './dns-record-set/provider.ts'
import { dnsRecordSetTerraform } from './dns-record-set/terraform.ts'
import { firebaseReleaseKind } from './firebase-release/provider.ts'
import { firebaseReleaseTerraform } from './firebase-release/terraform.ts'
import { firebaseRulesetKind } from './firebase-ruleset/provider.ts'
import { firebaseRulesetTerraform } from './firebase-ruleset/terraform.ts'
import { firestoreDatabaseKind } from './firestore-database/provider.ts'
import { firestoreDatabaseTerraform } from './firestore-database/terraform.ts'
import { firestoreIndexKind } from './firestore-index/provider.ts'
import { firestoreIndexTerraform } from './firestore-index/terraform.ts'
import { firewallKind } from './firewall/provider.ts'
import { firewallTerraform } from './firewall/terraform.ts'
import { forwardingRuleKind } from './forwarding-rule/provider.ts'
import { forwardingRuleTerraform } from './forwarding-rule/terraform.ts'
import { globalAddressKind } from './global-address/provider.ts'
import { globalAddressTerraform } from './global-address/terraform.ts'
import { healthCheckKind } from './health-check/provider.ts'
import { healthCheckTerraform } from './health-check/terraform.ts'
import { identityPlatformKind } from './identity-platform/provider.ts'
import { identityPlatformTerraform } from './identity-platform/terraform.ts'
import { identityProviderKind } from './identity-provider/provider.ts'
import { identityProviderTerraform } from './identity-provider/terraform.ts'
import { instanceGroupKind } from './instance-group/provider.ts'
import { instanceGroupTerraform } from './instance-group/terraform.ts'
import { instanceTemplateKind } from './instance-template/provider.ts'
import { instanceTemplateTerraform } from './instance-template/terraform.ts'
import { instanceKind } from './instance/provider.ts'
import { instanceTerraform } from './instance/terraform.ts'
import { managedSslCertificateKind } from './managed-ssl-certificate/provider.ts'
import { managedSslCertificateTerraform } from './managed-ssl-certificate/terraform.ts'
import { projectIamMemberKind } from './project-iam-member/provider.ts'
import { projectIamMemberTerraform } from './project-iam-member/terraform.ts'
import { projectKind } from './project/provider.ts'
import { projectTerraform } from './project/terraform.ts'
import { secretIamMemberKind } from './secret-iam-member/provider.ts'
import { secretIamMemberTerraform } from './secret-iam-member/terraform.ts'
import { secretVersionKind } from './secret-version/provider.ts'
import { secretVersionTerraform } from './secret-version/terraform.ts'
import { secretKind } from './secret/provider.ts'
import { secretTerraform } from './secret/terraform.ts'
import { serviceAccountIamMemberKind } from './service-account-iam-member/provider.ts'
import { serviceAccountIamMemberTerraform } from './service-account-iam-member/terraform.ts'
import { serviceAccountKind } from './service-account/provider.ts'
import { serviceAccountTerraform } from './service-account/terraform.ts'
import { serviceKind } from './service/provider.ts'
import { serviceTerraform } from './service/terraform.ts'
import { targetHttpProxyKind } from './target-http-proxy/provider.ts'
import { targetHttpProxyTerraform } from './target-http-proxy/terraform.ts'
import { targetHttpsProxyKind } from './target-https-proxy/provider.ts'
import { targetHttpsProxyTerraform } from './target-https-proxy/terraform.ts'
import { urlMapKind } from './url-map/provider.ts'
import { urlMapTerraform } from './url-map/terraform.ts'
import { workloadIdentityPoolKind } from './workload-identity-pool/provider.ts'
import { workloadIdentityPoolTerraform } from './workload-identity-pool/terraform.ts'
import { workloadIdentityProviderKind } from './workload-identity-provider/provider.ts'
import { workloadIdentityProviderTerraform } from './workload-identity-provider/terraform.ts'
import type { NoTerraformEquivalent, TerraformBlock, TerraformMapping } from './terraform.ts'

export interface KindEntry {
  readonly kind: AnyKind<Clients>
  /** Parses the props first, so that defaults are there. @throws KilnError E_PLAN */
  readonly terraform: (name: string, props: unknown) => TerraformBlock | NoTerraformEquivalent
}

const entries: readonly KindEntry[] = [
  entry(projectKind, projectTerraform),
  entry(billingKind, billingTerraform),
  entry(serviceKind, serviceTerraform),
  entry(artifactRepositoryKind, artifactRepositoryTerraform),
  entry(artifactRepositoryIamMemberKind, artifactRepositoryIamMemberTerraform),
  entry(serviceAccountKind, serviceAccountTerraform),
  entry(projectIamMemberKind, projectIamMemberTerraform),
  entry(bucketKind, bucketTerraform),
  entry(bucketObjectKind, bucketObjectTerraform),
  entry(firewallKind, firewallTerraform),
  entry(instanceKind, instanceTerraform),
  entry(secretKind, secretTerraform),
  entry(globalAddressKind, globalAddressTerraform),
  entry(healthCheckKind, healthCheckTerraform),
  entry(backendServiceKind, backendServiceTerraform),
  entry(urlMapKind, urlMapTerraform),
  entry(targetHttpProxyKind, targetHttpProxyTerraform),
  entry(managedSslCertificateKind, managedSslCertificateTerraform),
  entry(targetHttpsProxyKind, targetHttpsProxyTerraform),
  entry(forwardingRuleKind, forwardingRuleTerraform),
  entry(instanceTemplateKind, instanceTemplateTerraform),
  entry(instanceGroupKind, instanceGroupTerraform),
  entry(dnsManagedZoneKind, dnsManagedZoneTerraform),
  entry(dnsRecordSetKind, dnsRecordSetTerraform),
  entry(bucketIamMemberKind, bucketIamMemberTerraform),
  entry(secretVersionKind, secretVersionTerraform),
  entry(secretIamMemberKind, secretIamMemberTerraform),
  entry(firestoreDatabaseKind, firestoreDatabaseTerraform),
  entry(firestoreIndexKind, firestoreIndexTerraform),
  entry(firebaseRulesetKind, firebaseRulesetTerraform),
  entry(firebaseReleaseKind, firebaseReleaseTerraform),
  entry(identityPlatformKind, identityPlatformTerraform),
  entry(identityProviderKind, identityProviderTerraform),
  entry(workloadIdentityPoolKind, workloadIdentityPoolTerraform),
  entry(workloadIdentityProviderKind, workloadIdentityProviderTerraform),
  entry(serviceAccountIamMemberKind, serviceAccountIamMemberTerraform),
]

/** All kinds of this folder, by name. The kinds that bake and publish are in `src/app/kinds`. */
export const resourceKinds: ReadonlyMap<string, KindEntry> = new Map(entries.map((one) => [one.kind.kind, one]))

function entry<Props, Attributes extends Readonly<Record<string, unknown>>>(kind: ResourceKind<Props, Attributes, Clients>, terraform: TerraformMapping<Props>): KindEntry {
  return { kind, terraform: (name, props) => terraform(name, kind.parse(props)) }
}
