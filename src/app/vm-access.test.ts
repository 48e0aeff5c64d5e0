import { expect, test } from 'vitest'
import { serverLines } from './vm-access.ts'

const boot = `BdsDxe: starting Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x3,0x0)\r
[    0.000000] Linux version 6.1.0-28-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)\r
[    9.812345] systemd[1]: Detected virtualization qemu.\r
[   10.112233] systemd-journald[88]: Received client request to flush runtime journal.\r
[[0;32m  OK  [0m] Started [0;1;39mmoshi-srv.service[0m - Server moshi-srv.\r
[  OK  ] Reached target multi-user.target - Multi-User System.\r
         Starting moshi-srv.service - Server moshi-srv...\r
[   20.245160] moshi-srv[122]: INFO:waitress:Serving on http://0.0.0.0:8080\r
[   21.000001] kernel[0]: random: crng init done\r
[   21.102030] sshd[210]: Server listening on 0.0.0.0 port 22.\r
[   21.304050] google_guest_agent[233]: GCE Agent Started (version 20211116.00-g1)\r
[   21.404050] google_metadata_script_runner[240]: startup-script exit status 0\r
[   21.504050] useradd[251]: new user: name=kiln, UID=1000\r
[   22.500000] moshi-srv[122]: Traceback (most recent call last):\r
[   22.500100] moshi-srv[122]:   File "/opt/moshi-srv/app.py", line 3, in <module> systemd[1]: x\r
[   22.600000] moshi-srv: no process id\r
Debian GNU/Linux 12 moshi-dev ttyS0\r
moshi-srv[123]: without a time`

const wanted = `[   20.245160] moshi-srv[122]: INFO:waitress:Serving on http://0.0.0.0:8080
[   22.500000] moshi-srv[122]: Traceback (most recent call last):
[   22.500100] moshi-srv[122]:   File "/opt/moshi-srv/app.py", line 3, in <module> systemd[1]: x
moshi-srv[123]: without a time
`

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
}

async function linesOf(text: string, size: number, servers: readonly string[]): Promise<string> {
  let all = ''
  for await (const line of serverLines(pieces(text, size), new Set(servers))) all += line
  return all
}

test.each([1, 7, 80, 10_000])('logs are the lines of the server, however the serial output is cut (%i characters at a time)', async (size) => {
  expect(await linesOf(boot, size, ['moshi-srv'])).toBe(wanted)
})

test('a server may be named like a program of the system', async () => {
  expect(await linesOf('[    1.000000] login-server[7]: hello\n[    1.100000] login[8]: root logged in\n', 100, ['login-server'])).toBe('[    1.000000] login-server[7]: hello\n')
})
