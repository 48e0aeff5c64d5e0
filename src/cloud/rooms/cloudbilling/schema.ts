/** Request bodies of Cloud Billing v1. https://cloud.google.com/billing/docs/reference/rest */
import { z } from 'zod'

export const BillingInfoBody = z.looseObject({ billingAccountName: z.string().default('') })
