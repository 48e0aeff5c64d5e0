/** What the command line renders of a token's examination. */
export type { TokenReport } from '../github/examine.ts'
