/**
 * The two user-mode networks of a machine. Card 1 is the VPC subnet: outbound traffic, forwards. Card 2 exists only for the
 * metadata address, which lies outside the subnet: QEMU's user network forwards guest connections (`guestfwd`) only to addresses inside its own range.
 * Options: https://www.qemu.org/docs/master/system/invocation.html (-netdev user)
 */
import { KilnError } from '../../base/errors.ts'
import type { PortForward, VmSpec } from '../driver.ts'

export const subnetNetdev = 'net0'
export const metadataNetdev = 'net1'

interface Subnet {
  /** Network address as a 32-bit number. */
  readonly first: number
  readonly sizeAddresses: number
}

/** @throws KilnError E_VM when the text is not an IPv4 range with room for a router, a DNS server and a guest. */
function parseCidr(cidr: string): Subnet {
  const [address, length] = cidr.split('/')
  const prefix = Number(length)
  const value = parseAddress(address ?? '')
  if (value === undefined || !Number.isInteger(prefix) || prefix < 8 || prefix > 29) {
    throw new KilnError('E_VM', `the subnet ${cidr} is not an IPv4 range of /8 to /29`)
  }
  const sizeAddresses = 2 ** (32 - prefix)
  return { first: value - (value % sizeAddresses), sizeAddresses }
}

function parseAddress(text: string): number | undefined {
  const parts = text.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256))
  if (parts.length !== 4 || parts.some((part) => part > 255)) return undefined
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}

/** One forward in QEMU's words: `tcp:127.0.5.1:8080-10.128.0.7:8080`. */
export function forwardRule(forward: PortForward, guestAddress: string): string {
  return `${forward.protocol}:${forward.hostAddress}:${forward.hostPort}-${guestAddress}:${forward.guestPort}`
}

/**
 * The value of `-netdev` for card 1. Router is the subnet's first address and DNS its second-last, the addresses that Google reserves
 * too (https://cloud.google.com/vpc/docs/subnets#unusable-ip-addresses-in-every-subnet).
 * @throws KilnError E_VM for a bad range, an address outside of it, or a forward that does not listen on loopback.
 */
export function subnetOption(spec: VmSpec): string {
  const subnet = parseCidr(spec.subnetCidr)
  const guest = parseAddress(spec.internalAddress)
  const router = subnet.first + 1
  const dns = subnet.first + subnet.sizeAddresses - 2
  if (guest === undefined || guest <= router || guest >= dns) {
    throw new KilnError('E_VM', `the address ${spec.internalAddress} cannot be given to a machine in ${spec.subnetCidr}`, {
      hint: `use an address between ${formatAddress(router + 1)} and ${formatAddress(dns - 1)}`,
    })
  }
  for (const forward of spec.forwards) requireLoopback(forward)
  const prefix = 32 - Math.log2(subnet.sizeAddresses)
  return [
    `user,id=${subnetNetdev}`,
    'ipv6=off',
    `net=${formatAddress(subnet.first)}/${prefix}`,
    `host=${formatAddress(router)}`,
    `dns=${formatAddress(dns)}`,
    `dhcpstart=${spec.internalAddress}`,
    ...(spec.hostname === undefined ? [] : [`hostname=${escapeOption(spec.hostname)}`]),
    ...(spec.outbound ? [] : ['restrict=on']),
    ...spec.forwards.map((forward) => `hostfwd=${forwardRule(forward, spec.internalAddress)}`),
  ].join(',')
}

/**
 * The value of `-netdev` for card 2. socat joins each guest connection with a unix socket: port 80 with the metadata server's, port 443,
 * when there is one, with the socket that speaks TLS for Google's hosts.
 */
export function metadataOption(socketPath: string, socat: string, googleSocket?: string): string {
  return [
    `user,id=${metadataNetdev}`,
    'ipv6=off',
    'net=169.254.169.0/24',
    'host=169.254.169.1',
    'dns=169.254.169.2',
    'dhcpstart=169.254.169.10',
    'restrict=on',
    guestForward(80, socketPath, socat),
    ...(googleSocket === undefined ? [] : [guestForward(443, googleSocket, socat)]),
  ].join(',')
}

/** The value of `-netdev` for a card that has its link and meets nobody. User networks keep state that a snapshot would carry over; this one has none. */
export function nowhereOption(netdev: string, hub: number): string {
  return `hubport,id=${netdev},hubid=${hub}`
}

function guestForward(port: number, socketPath: string, socat: string): string {
  // QEMU splits the command at blanks itself (g_shell_parse_argv), so the path is quoted for that, then for socat's own address syntax.
  const address = `UNIX-CONNECT:${socketPath.replaceAll(/[\\:,!"'{}()[\]]/g, String.raw`\$&`)}`
  // What a command writes to its error output goes to the guest as well (libslirp's fork_exec): while nobody listens, the guest shall see a closed
  // connection and not socat's complaint, which HTTP clients take for a broken answer.
  return `guestfwd=tcp:169.254.169.254:${port}-cmd:${escapeOption(`${shellWord(socat)} -lf/dev/null - ${shellWord(address)}`)}`
}

/** Card 2's address: card 1's with one bit of its second byte turned, so it is stable and differs from every card 1. */
export function metadataMac(mac: string): string {
  const bytes = mac.split(':')
  const second = (Number.parseInt(bytes[1] ?? '0', 16) ^ 0x80).toString(16).padStart(2, '0')
  return [bytes[0], second, ...bytes.slice(2)].join(':')
}

/** A comma in the value of a QEMU option is written twice. */
export function escapeOption(value: string): string {
  return value.replaceAll(',', ',,')
}

/** The forwards of card 1 as `info usernet` lists them. */
export function parseUsernet(text: string): { forward: PortForward; guestAddress: string }[] {
  const forwards: { forward: PortForward; guestAddress: string }[] = []
  let netdev = ''
  for (const line of text.split(/\r?\n/)) {
    netdev = /\((\w+)\):/.exec(line)?.[1] ?? netdev
    if (netdev !== subnetNetdev) continue
    const match = /^\s*(TCP|UDP)\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)/.exec(line)
    if (match === null) continue
    const [, protocol, hostAddress = '', hostPort, guestAddress = '', guestPort] = match
    forwards.push({ forward: { protocol: protocol === 'UDP' ? 'udp' : 'tcp', hostAddress, hostPort: Number(hostPort), guestPort: Number(guestPort) }, guestAddress })
  }
  return forwards
}

/** @throws KilnError E_VM: nothing of Kiln listens on an address that other machines reach. */
export function requireLoopback(forward: PortForward): void {
  const address = parseAddress(forward.hostAddress)
  if (address !== undefined && Math.floor(address / 2 ** 24) === 127) return
  throw new KilnError('E_VM', `a port of a machine can be forwarded only from a loopback address, not from ${forward.hostAddress}:${forward.hostPort}`)
}

/** A word for a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
