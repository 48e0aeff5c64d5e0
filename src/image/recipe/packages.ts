/** The Debian packages that every image has, per suite. What a user's image needs beside them comes from the config. */
import type { BaseImageSpec } from '../types.ts'

export type Suite = BaseImageSpec['suite']

/** Raised whenever a bake gives other bytes for the same spec: part of every key. */
export const RECIPE_VERSION = '4'

const everySuite = [
  'busybox-static', // the initial RAM disk
  'ca-certificates',
  'e2fsprogs', // growing the root file system
  'fdisk', // growing the root partition
  'iproute2',
  'linux-image-cloud-amd64',
  'openssh-server',
  'sudo', // the guest agent gives it to the users it makes
  'systemd',
  'systemd-sysv',
  'systemd-timesyncd',
  'udev',
]

/** SSH keys and startup scripts from the metadata server. */
const guestAgent = 'google-guest-agent'

const perSuite: Readonly<Record<Suite, readonly string[]>> = {
  // There, the EFI stub and the resolver are parts of the package systemd, and Debian has no guest agent: such images take no SSH keys and
  // no startup script from the metadata server.
  bullseye: [],
  bookworm: [guestAgent, 'systemd-boot-efi', 'systemd-resolved'],
  trixie: [guestAgent, 'systemd-boot-efi', 'systemd-resolved'],
}

/** What the root for building wheels has beside the base image. */
export const builderPackages: readonly string[] = ['python3-minimal', 'python3-pip', 'python3-setuptools', 'python3-venv', 'python3-wheel']

/** All packages to ask for, sorted, each once. */
export function basePackages(suite: Suite, requested: readonly string[]): string[] {
  return [...new Set([...everySuite, ...perSuite[suite], ...requested])].sort()
}
