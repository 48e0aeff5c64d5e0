/** The programs of this machine that bakes use. They are looked for before the work begins, since inside a wrapper a missing one only shows as an exit code. */
import { missingTool } from '../host/exec.ts'
import { findProgram } from '../host/files.ts'

/** What every bake of a disk needs beside coreutils. mmdebstrap is needed for base images, xz for trixie's kernel modules. */
export const bakeTools: readonly string[] = ['setpriv', 'unshare', 'chroot', 'sfdisk', 'mke2fs', 'dumpe2fs', 'debugfs', 'mformat', 'mmd', 'mcopy', 'mdir', 'dd']

/** @throws KilnError E_TOOL_MISSING for the first program that is not there. */
export async function requireTools(names: readonly string[]): Promise<void> {
  for (const name of names) if ((await findProgram(name)) === undefined) throw missingTool(name)
}
