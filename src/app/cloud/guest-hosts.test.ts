import { expect, test } from 'vitest'
import type { Room } from '../../cloud/kernel/room.ts'
import { guestHosts } from './guest-hosts.ts'

test('every host with a fixed name, every place of packages, and services that no room serves; each once, none with a wildcard', () => {
  const room = {
    hosts: [
      { name: 'api', match: 'made-up.googleapis.com' },
      { name: 'www', match: 'www.googleapis.com', paths: /^\/made-up\// },
      { name: 'python', match: /^[a-z0-9-]+-python\.pkg\.dev$/ },
    ],
  } as unknown as Room
  const hosts = guestHosts([room])
  for (const host of [
    'made-up.googleapis.com',
    'www.googleapis.com',
    'storage.googleapis.com',
    'accounts.google.com',
    'texttospeech.googleapis.com',
    'us-central1-python.pkg.dev',
    'europe-python.pkg.dev',
  ]) {
    expect(hosts).toContain(host)
  }
  expect(new Set(hosts).size).toBe(hosts.length)
  for (const host of hosts) expect(host).toMatch(/^[a-z0-9.-]+$/)
})
