/** Who calls. `member` is the form in which IAM policies name it. */
export interface Principal {
  readonly member: string
  /** The e-mail for users and service accounts, else the whole principal name. */
  readonly email: string
  /** Further members that mean this caller too: the `principalSet://…` of a federated identity. */
  readonly sets?: readonly string[]
}

export function userPrincipal(email: string): Principal {
  return { member: `user:${email}`, email }
}

export function serviceAccountPrincipal(email: string): Principal {
  return { member: `serviceAccount:${email}`, email }
}

/** The person at this machine: owns every project of the pocket cloud. */
export const ownerPrincipal: Principal = userPrincipal('owner@kiln.local')
