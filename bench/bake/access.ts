/**
 * A way into the base disk for Packer, which works over SSH. Kiln's images let nobody in as root, so a copy of the disk gets a key and one
 * line for sshd. That is the shortest way there is: Google's own (keys from the metadata server, put in by the guest agent) takes longer.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../src/host/exec.ts'
import { debugfs, rootFileSystem, statPaths } from './root-file-system.ts'

const sshFolder = join('/root', '.ssh')
const sshdFolder = '/etc/ssh/sshd_config.d'
const wanted = [join(sshFolder, 'authorized_keys'), join(sshdFolder, '00-bench.conf')]

/** What the way in leaves in an image, to be removed by the build that used it. */
export const accessPaths: readonly string[] = [sshFolder, join(sshdFolder, '00-bench.conf')]

/** Makes a key pair in `folder`. Returns the private key's path. */
export async function makeKey(folder: string, signal: AbortSignal): Promise<string> {
  const path = join(folder, 'key')
  await run({ program: 'ssh-keygen', args: ['-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', path] }, { what: 'making an SSH key', signal })
  return path
}

/** Copies the disk to `target` and lets the key's owner in as root. */
export async function copyWithAccess(disk: string, target: string, privateKey: string, folder: string, signal: AbortSignal): Promise<void> {
  await run({ program: 'cp', args: ['--sparse=always', '--', disk, target] }, { what: 'copying the base disk', signal })
  const key = join(folder, 'authorized_keys')
  const settings = join(folder, 'sshd.conf')
  await writeFile(key, await readFile(`${privateKey}.pub`))
  await writeFile(settings, 'PermitRootLogin prohibit-password\n')
  const fileSystem = await rootFileSystem(target, signal)
  const commands = [
    `mkdir ${sshFolder}`,
    `sif ${sshFolder} mode 040700`,
    `cd ${sshFolder}`,
    `write "${key}" authorized_keys`,
    'sif authorized_keys mode 0100600',
    `cd ${sshdFolder}`,
    // sshd takes the first value that it finds, and reads these files in the order of their names.
    `write "${settings}" 00-bench.conf`,
    'sif 00-bench.conf mode 0100644',
  ]
  const output = await debugfs(fileSystem, commands, { folder, write: true, signal })
  const found = await statPaths(fileSystem, wanted, { folder, signal })
  for (const path of wanted) if (found.get(path)?.user !== 0) throw new Error(`${path} could not be put into the base disk for Packer:\n${output}`)
}
