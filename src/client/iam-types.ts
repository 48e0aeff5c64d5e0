/** The IAM policy as every Google service carries it. https://cloud.google.com/iam/docs/reference/rest/v1/Policy */
export interface IamBinding {
  readonly role?: string | null
  readonly members?: readonly string[] | null
  readonly condition?: unknown
}

export interface IamPolicy {
  readonly version?: number | null
  readonly etag?: string | null
  readonly bindings?: readonly IamBinding[] | null
}
