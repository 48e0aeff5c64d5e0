/** Props of a role on a service account: who may act as it. */
import { z } from 'zod'

/** Everybody whose token has this attribute, as policies name them. The pool's name comes from the pool, since it has the project's number. */
const PrincipalSet = z.strictObject({
  /** `projects/NUMBER/locations/global/workloadIdentityPools/ID` */
  pool: z.string(),
  attribute: z.string(),
  value: z.string(),
})

export const ServiceAccountIamMemberProps = z
  .strictObject({
    projectId: z.string(),
    accountId: z.string(),
    role: z.string(),
    /** `serviceAccount:EMAIL`; or `principalSet` instead. */
    member: z.string().optional(),
    principalSet: PrincipalSet.optional(),
  })
  .refine((props) => (props.member === undefined) !== (props.principalSet === undefined), { error: 'either member or principalSet' })
  .transform(({ member, principalSet, ...props }) => ({ ...props, member: principalSet === undefined ? (member ?? '') : principalSetMember(principalSet) }))
export type ServiceAccountIamMemberProps = z.output<typeof ServiceAccountIamMemberProps>

function principalSetMember({ pool, attribute, value }: z.output<typeof PrincipalSet>): string {
  return `principalSet://iam.googleapis.com/${pool}/attribute.${attribute}/${value}`
}
