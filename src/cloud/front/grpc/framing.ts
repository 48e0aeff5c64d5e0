/**
 * gRPC's length-prefixed messages: one byte "compressed", four bytes length, the message.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
 */
import { promisify } from 'node:util'
import { gunzip, inflate } from 'node:zlib'
import { MIB } from '../../../base/units.ts'
import { GrpcError } from './status.ts'

/** As much as the cloud's server takes as a JSON body. */
export const MAX_MESSAGE_BYTES = 10 * MIB
const PREFIX_BYTES = 5

const decompressors: Readonly<Record<string, (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>>> = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
}

/** What is told to clients in `grpc-accept-encoding`. */
export const ACCEPTED_ENCODINGS = 'identity,gzip,deflate'

/** One message, uncompressed, ready to be written. */
export function encodeFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  frame[0] = 0
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, PREFIX_BYTES)
  return frame
}

/**
 * Reads the one message of a request that is not streamed, up to the client's half-close.
 * @param encoding the request's `grpc-encoding`
 * @throws GrpcError RESOURCE_EXHAUSTED when it is larger than `maxBytes`, INTERNAL when the framing is wrong, UNIMPLEMENTED for an unknown compression.
 */
export async function readMessage(source: AsyncIterable<Uint8Array>, encoding: string, maxBytes: number = MAX_MESSAGE_BYTES): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  let expectedBytes: number | undefined
  for await (const chunk of source) {
    chunks.push(chunk)
    sizeBytes += chunk.length
    if (expectedBytes === undefined && sizeBytes >= PREFIX_BYTES) {
      const prefix = chunks.length === 1 ? chunk : Buffer.concat(chunks)
      const lengthBytes = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength).readUInt32BE(1)
      // Refused by its prefix, before its bytes are taken.
      if (lengthBytes > maxBytes) throw tooLarge(lengthBytes, maxBytes)
      expectedBytes = PREFIX_BYTES + lengthBytes
    }
    if (expectedBytes !== undefined && sizeBytes > expectedBytes) throw new GrpcError('INTERNAL', 'The client sent more than one message to a method that takes one.')
  }
  if (expectedBytes === undefined || sizeBytes < expectedBytes) throw new GrpcError('INTERNAL', 'The client ended its request in the middle of a message.')
  const frame = Buffer.concat(chunks)
  const message = frame.subarray(PREFIX_BYTES)
  if (frame[0] === 0) return message
  return await decompress(message, encoding, maxBytes)
}

async function decompress(message: Uint8Array, encoding: string, maxBytes: number): Promise<Uint8Array> {
  const decompressor = Object.hasOwn(decompressors, encoding) ? decompressors[encoding] : undefined
  if (decompressor === undefined) throw new GrpcError('UNIMPLEMENTED', `Message compression ${JSON.stringify(encoding)} is not supported; supported: ${ACCEPTED_ENCODINGS}.`)
  try {
    return await decompressor(message, { maxOutputLength: maxBytes })
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(undefined, maxBytes)
    throw new GrpcError('INTERNAL', `The compressed message is not valid ${encoding} data.`, { cause: error })
  }
}

function tooLarge(lengthBytes: number | undefined, maxBytes: number): GrpcError {
  return new GrpcError('RESOURCE_EXHAUSTED', `Received message larger than max (${lengthBytes ?? `more than ${maxBytes}`} vs. ${maxBytes})`)
}
