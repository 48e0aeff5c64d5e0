/** Cloud Billing (REST v1), of which npm has no `@googleapis` package here. https://cloud.google.com/billing/docs/reference/rest */
import type { Transport } from './transport.ts'

export interface BillingInfo {
  readonly name?: string
  readonly projectId?: string
  /** `billingAccounts/ID`, or empty when the project has none. */
  readonly billingAccountName?: string
  readonly billingEnabled?: boolean
}

export interface BillingAccount {
  readonly name?: string
  readonly displayName?: string
  readonly open?: boolean
}

interface CallOptions {
  readonly signal?: AbortSignal
}

/** Every method throws as `Transport.send` does. */
export interface CloudBilling {
  getBillingInfo(projectId: string, options?: CallOptions): Promise<BillingInfo>
  /** `account` is the id, `000000-AAAAAA-BBBBBB`. */
  getAccount(account: string, options?: CallOptions): Promise<BillingAccount>
  /** `billingAccountName` empty unlinks the project. */
  updateBillingInfo(projectId: string, billingAccountName: string, options?: CallOptions): Promise<BillingInfo>
}

const base = 'https://cloudbilling.googleapis.com/v1'

/** Makes the client over a transport. */
export function createCloudBilling(transport: Transport): CloudBilling {
  return {
    getBillingInfo: (projectId, options) => transport.json('GET', `${base}/projects/${encodeURIComponent(projectId)}/billingInfo`, options),
    getAccount: (account, options) => transport.json('GET', `${base}/billingAccounts/${encodeURIComponent(account)}`, options),
    updateBillingInfo: (projectId, billingAccountName, options) =>
      transport.json('PUT', `${base}/projects/${encodeURIComponent(projectId)}/billingInfo`, { ...options, body: { billingAccountName } }),
  }
}
