/** The actions that workflows use, each at a commit: a tag can be moved to other code, a commit cannot. */
export const actions = {
  checkout: { use: 'actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1', version: 'v7.0.1' },
  setupNode: { use: 'actions/setup-node@820762786026740c76f36085b0efc47a31fe5020', version: 'v7.0.0' },
  googleAuth: { use: 'google-github-actions/auth@7c6bc770dae815cd3e89ee6cdf493a5fab2cc093', version: 'v3.0.0' },
  setupPacker: { use: 'hashicorp/setup-packer@1aa358be5cf73883762b302a3a03abd66e75b232', version: 'v3.1.0' },
} as const

/** Variables of the GitHub repository that say who the workflows are on Google Cloud: names, no secrets. */
export const repositoryVariables = {
  provider: 'KILN_WORKLOAD_IDENTITY_PROVIDER',
  account: 'KILN_SERVICE_ACCOUNT',
} as const
