/**
 * How a kind appears in Terraform (google provider). Mappings are pure: `synth` puts interpolations such as
 * `${google_service_account.reader.email}` in place of refs before it calls them, and writes what comes back as HCL. Other text is plain: `synth` escapes it.
 */
import { resourcePath } from './resource.ts'

export interface TerraformBlock {
  /** `google_storage_bucket` */
  readonly type: string
  readonly name: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface NoTerraformEquivalent {
  /** Why there is none, as one sentence. */
  readonly noEquivalent: string
}

/** `name` is the block's name, already in Terraform's alphabet (see `terraformName`). */
export type TerraformMapping<Props> = (name: string, props: Props) => TerraformBlock | NoTerraformEquivalent

/** A link in Terraform: an interpolation stays as it is, a URL becomes its path. */
export function terraformLink(link: string): string {
  return link.startsWith('${') ? link : resourcePath(link)
}

/** An address or other text as a Terraform name: letters, digits, `_` and `-`, not beginning with a digit. */
export function terraformName(text: string): string {
  const name = text.replaceAll(/[^A-Za-z0-9_-]/g, '_')
  return /^[A-Za-z_]/.test(name) ? name : `_${name}`
}
