/** The data folder, for the command line. */
export { kilnHome } from '../host/home.ts'
export type { KilnHome } from '../host/home.ts'
