/** A predefined role, with the permissions that Google's documentation lists for it, as far as a room here has the method. */
export interface RoleDefinition {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly permissions: readonly string[]
}
