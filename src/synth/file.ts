/** Files that synthesis gives: plain data, written by others. */

export interface SynthFile {
  /** Relative to the stack's folder, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly mode: number
}

/** In the first lines of every file: tells Kiln which files are its own, and people where to change what. */
export const headerMark = 'Made by `kiln synth` from kiln.config.ts.'

/** The header as a comment. */
export function header(sign = '#'): string {
  return `${sign} ${headerMark} Change that file and run it again; changes here are lost.\n`
}

/** How far into a file its header may begin: scripts have a line before it. */
const headerLines = 3

/** True for a file that Kiln wrote, or that has kept Kiln's header. */
export function isOwn(text: string): boolean {
  return text.split('\n', headerLines).some((line) => line.includes(headerMark))
}
