/** From the bytes of a query to the bytes of the reply (RFC 1035 section 4, EDNS by RFC 6891). */
import { AUTHORITATIVE_ANSWER, decode, encode, RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet'
import type { Answer, DecodedPacket, OptAnswer } from 'dns-packet'
import { toPacketData } from '../service.rdata.ts'
import type { RecordSet } from '../store.ts'
import { answerQuery, rcodes } from './answer.ts'
import type { Reply } from './answer.ts'
import type { NameBook } from './book.ts'

const HEADER_BYTES = 12
/** Without EDNS (RFC 1035 section 4.2.1). */
const PLAIN_UDP_BYTES = 512
/** What fits into one frame nearly everywhere; more is for TCP (DNS flag day 2020). */
const MAX_UDP_BYTES = 1232
const CLASS_IN = 1
const CLASS_ANY = 255

/** The reply, or undefined for what deserves none (no header, or itself a reply). Over UDP a reply that is too long is cut to its question with the TC flag. */
export function respond(book: NameBook, message: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
  if (message.length < HEADER_BYTES || (message.readUInt8(2) & 0x80) !== 0) return undefined
  const id = message.readUInt16BE(0)
  const flags = message.readUInt16BE(2) & (RECURSION_DESIRED | 0x7800)
  const bare = (rcode: keyof typeof rcodes): Buffer => encode({ type: 'response', id, flags: flags | rcodes[rcode] })
  if ((flags & 0x7800) !== 0) return bare('NOTIMP')
  let query: DecodedPacket
  let question: Buffer
  try {
    question = questionBytes(message)
    query = decode(message)
  } catch {
    return bare('FORMERR')
  }
  const [asked] = query.questions ?? []
  if (asked === undefined || query.questions?.length !== 1) return bare('FORMERR')
  const opt = query.additionals?.find((each): each is OptAnswer => each.type === 'OPT')
  const send = (reply: Reply, moreFlags = 0): Buffer =>
    withQuestion(
      encode({
        type: 'response',
        id,
        flags: flags | (reply.isAuthoritative ? AUTHORITATIVE_ANSWER : 0) | moreFlags | rcodes[reply.rcode],
        answers: reply.answers.flatMap(toAnswers),
        authorities: reply.authorities.flatMap(toAnswers),
        additionals: [...reply.additionals.flatMap(toAnswers), ...(opt === undefined ? [] : [ownOpt(opt)])],
      }),
      question,
    )
  const empty: Reply = { rcode: 'NOERROR', isAuthoritative: false, answers: [], authorities: [], additionals: [] }
  if (opt !== undefined && opt.ednsVersion !== 0) return send(empty)
  const questionClass = question.readUInt16BE(question.length - 2)
  if ((questionClass !== CLASS_IN && questionClass !== CLASS_ANY) || asked.type === 'AXFR' || asked.type === 'IXFR') return send({ ...empty, rcode: 'REFUSED' })
  const reply = answerQuery(book, asked.name === '.' ? '.' : `${asked.name}.`, asked.type)
  const full = send(reply)
  const limit = opt === undefined ? PLAIN_UDP_BYTES : Math.max(PLAIN_UDP_BYTES, Math.min(MAX_UDP_BYTES, opt.udpPayloadSize))
  if (transport === 'tcp' || full.length <= limit) return full
  return send({ ...empty, rcode: reply.rcode, isAuthoritative: reply.isAuthoritative }, TRUNCATED_RESPONSE)
}

/** The question as it was sent, letter case included: some resolvers compare it. */
function questionBytes(message: Buffer): Buffer {
  let end = HEADER_BYTES
  for (let length = message.readUInt8(end); length !== 0; length = message.readUInt8(end)) {
    if (length > 63) throw new RangeError('a name in a question is not compressed')
    end += length + 1
  }
  return message.subarray(HEADER_BYTES, end + 5)
}

/** Puts the question back into a packet that was encoded without one. Names in it are never compressed, so nothing else moves. */
function withQuestion(packet: Buffer, question: Buffer): Buffer {
  const whole = Buffer.concat([packet.subarray(0, HEADER_BYTES), question, packet.subarray(HEADER_BYTES)])
  whole.writeUInt16BE(1, 4)
  return whole
}

function toAnswers(set: RecordSet): Answer[] {
  const name = set.name.replace(/\.$/, '')
  return set.rrdatas.map((text) => ({ type: set.type, name, ttl: set.ttl, class: 'IN', data: toPacketData(set.type, text) }) as Answer)
}

/** Extended rcode 1 with rcode 0 is BADVERS: the asker's EDNS is newer than ours (RFC 6891 section 6.1.3). */
function ownOpt(theirs: OptAnswer): OptAnswer {
  return { type: 'OPT', name: '.', udpPayloadSize: MAX_UDP_BYTES, extendedRcode: theirs.ednsVersion === 0 ? 0 : 1, ednsVersion: 0, flags: 0, flag_do: false, options: [] }
}
