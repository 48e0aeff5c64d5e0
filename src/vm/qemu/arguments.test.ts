import { describe, expect, test } from 'vitest'
import type { VmSpec } from '../driver.ts'
import { qemuArguments } from './arguments.ts'
import type { QemuFiles } from './arguments.ts'
import { metadataMac, metadataOption, parseUsernet, subnetOption } from './network.ts'

const files: QemuFiles = {
  firmwareCode: '/usr/share/OVMF/OVMF_CODE_4M.fd',
  firmwareVars: '/vms/a/vars.fd',
  serialLog: '/vms/a/serial.log',
  pidFile: '/vms/a/qemu.pid',
  qmpSocket: '/run/kiln/vm-1.qmp',
  events: '/vms/a/events',
  socat: '/usr/bin/socat',
}

const spec: VmSpec = {
  name: 'kiln-dev',
  cpus: 2,
  memoryMib: 1024,
  disks: [{ path: '/vms/a/boot,1.raw', format: 'raw', deviceName: 'dev', boot: true }],
  internalAddress: '10.128.0.7',
  subnetCidr: '10.128.0.0/20',
  macAddress: '42:01:0a:80:00:07',
  forwards: [{ protocol: 'tcp', hostAddress: '127.7.7.7', hostPort: 2222, guestPort: 22 }],
  metadataSocket: '/run/kiln/meta.sock',
  outbound: true,
}

describe('the command line', () => {
  test('of a machine under emulation', () => {
    expect(qemuArguments(spec, 'tcg', files)).toEqual([
      '-name',
      'guest=kiln-dev,process=kiln-dev',
      '-no-user-config',
      '-nodefaults',
      '-machine',
      'q35,vmport=off',
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt',
      '-smp',
      '2',
      '-m',
      '1024',
      '-display',
      'none',
      '-rtc',
      'base=utc',
      '-sandbox',
      'on,obsolete=deny,resourcecontrol=deny',
      '-pidfile',
      '/vms/a/qemu.pid',
      '-fw_cfg',
      expect.stringMatching(/^name=opt\/kiln\/spec,string=[0-9a-f]{32}$/),
      '-smbios',
      'type=0,vendor=Google,version=Google',
      '-smbios',
      expect.stringMatching(/^type=1,manufacturer=Google,product=Google Compute Engine,serial=GoogleCloud-[0-9A-F]{32}$/),
      '-smbios',
      'type=2,manufacturer=Google,product=Google Compute Engine',
      '-drive',
      'if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd',
      '-drive',
      'if=pflash,unit=1,format=raw,file=/vms/a/vars.fd',
      '-device',
      'virtio-scsi-pci,id=scsi0',
      '-drive',
      'if=none,id=disk0,format=raw,discard=unmap,cache=writeback,file=/vms/a/boot,,1.raw',
      '-device',
      'scsi-hd,bus=scsi0.0,lun=0,drive=disk0,vendor=Google,product=PersistentDisk,serial=dev,device_id=dev,bootindex=1',
      '-netdev',
      'user,id=net0,ipv6=off,net=10.128.0.0/20,host=10.128.0.1,dns=10.128.15.254,dhcpstart=10.128.0.7,hostfwd=tcp:127.7.7.7:2222-10.128.0.7:22',
      '-device',
      'virtio-net-pci,netdev=net0,mac=42:01:0a:80:00:07,romfile=',
      '-netdev',
      'user,id=net1,ipv6=off,net=169.254.169.0/24,host=169.254.169.1,dns=169.254.169.2,dhcpstart=169.254.169.10,restrict=on,guestfwd=tcp:169.254.169.254:80-cmd:/usr/bin/socat -lf/dev/null - UNIX-CONNECT:/run/kiln/meta.sock',
      '-device',
      'virtio-net-pci,netdev=net1,mac=42:81:0a:80:00:07,romfile=',
      '-object',
      'rng-random,id=rng0,filename=/dev/urandom',
      '-device',
      'virtio-rng-pci,rng=rng0',
      '-chardev',
      'file,id=serial0,append=on,path=/vms/a/serial.log',
      '-serial',
      'chardev:serial0',
      '-chardev',
      'socket,id=qmp0,server=on,wait=off,path=/run/kiln/vm-1.qmp',
      '-mon',
      'chardev=qmp0,mode=control',
      '-chardev',
      'pipe,id=events0,path=/vms/a/events',
      '-mon',
      'chardev=events0,mode=control',
    ])
  })

  test('under KVM; without metadata; with a disk whose writes are dropped', () => {
    const disks: VmSpec['disks'] = [{ path: '/i.qcow2', format: 'qcow2', deviceName: 'd', boot: false, discardWrites: true }]
    const args = qemuArguments({ ...spec, disks, metadataSocket: undefined, outbound: false }, 'kvm', files)
    expect(args.join(' ')).toContain('-accel kvm -cpu host')
    expect(args).toContain('if=none,id=disk0,format=qcow2,discard=unmap,cache=unsafe,snapshot=on,file=/i.qcow2')
    expect(args).toContain('scsi-hd,bus=scsi0.0,lun=0,drive=disk0,vendor=Google,product=PersistentDisk,serial=d,device_id=d')
    expect(args.filter((arg) => arg === '-netdev')).toHaveLength(1)
    expect(args).toContain('user,id=net0,ipv6=off,net=10.128.0.0/20,host=10.128.0.1,dns=10.128.15.254,dhcpstart=10.128.0.7,restrict=on,hostfwd=tcp:127.7.7.7:2222-10.128.0.7:22')
  })

  test('the mark of a spec ignores forwards and sees everything else', () => {
    const mark = (changed: Partial<VmSpec>): string | undefined => {
      const args = qemuArguments({ ...spec, ...changed }, 'tcg', files)
      return args[args.indexOf('-fw_cfg') + 1]
    }
    expect(mark({ forwards: [] })).toBe(mark({}))
    expect(mark({ memoryMib: 1025 })).not.toBe(mark({}))
  })
})

describe('networks', () => {
  test('addresses that do not fit are refused with the range that does', () => {
    expect(() => subnetOption({ ...spec, internalAddress: '10.129.0.7' })).toThrow(/10\.129\.0\.7 cannot be given/)
    expect(() => subnetOption({ ...spec, internalAddress: '10.128.0.1' })).toThrow(/cannot be given/)
    expect(() => subnetOption({ ...spec, internalAddress: '10.128.15.254' })).toThrow(/cannot be given/)
    expect(() => subnetOption({ ...spec, subnetCidr: '10.128.0.0' })).toThrow(/not an IPv4 range/)
    expect(() => subnetOption({ ...spec, subnetCidr: '10.128.0.0/31' })).toThrow(/not an IPv4 range/)
    expect(() => subnetOption({ ...spec, forwards: [{ protocol: 'tcp', hostAddress: '192.168.1.1', hostPort: 1, guestPort: 1 }] })).toThrow(/loopback/)
    expect(subnetOption({ ...spec, subnetCidr: '192.168.5.9/29', internalAddress: '192.168.5.10', forwards: [] })).toBe(
      'user,id=net0,ipv6=off,net=192.168.5.8/29,host=192.168.5.9,dns=192.168.5.14,dhcpstart=192.168.5.10',
    )
  })

  test('special characters in the metadata socket path survive QEMU, its command splitter and socat', () => {
    expect(metadataOption('/tmp/a b,c:d/m.sock', '/usr/bin/socat')).toContain(String.raw`cmd:/usr/bin/socat -lf/dev/null - 'UNIX-CONNECT:/tmp/a b\,,c\:d/m.sock'`)
  })

  test('the hosts of Google are port 443 of the metadata address', () => {
    const option = metadataOption('/run/kiln/m.sock', '/usr/bin/socat', '/run/kiln/google.sock')
    expect(option).toContain(
      'guestfwd=tcp:169.254.169.254:80-cmd:/usr/bin/socat -lf/dev/null - UNIX-CONNECT:/run/kiln/m.sock,guestfwd=tcp:169.254.169.254:443-cmd:/usr/bin/socat -lf/dev/null - UNIX-CONNECT:/run/kiln/google.sock',
    )
    expect(qemuArguments({ ...spec, googleSocket: '/run/kiln/google.sock' }, 'tcg', files).join(' ')).toContain(
      '169.254.169.254:443-cmd:/usr/bin/socat -lf/dev/null - UNIX-CONNECT:/run/kiln/google.sock',
    )
    expect(metadataOption('/run/kiln/m.sock', '/usr/bin/socat')).not.toContain(':443')
  })

  test('the second card has an address of its own, and giving it twice changes back', () => {
    expect(metadataMac('42:01:0a:80:00:07')).toBe('42:81:0a:80:00:07')
    expect(metadataMac(metadataMac('42:01:0a:80:00:07'))).toBe('42:01:0a:80:00:07')
  })

  test('reads the live forwards of the first card only', () => {
    const text = [
      'Hub -1 (net0):',
      '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ',
      '  TCP[ESTABLISHED]   21       127.7.7.7  2222      10.128.0.7    22     0     0',
      '  TCP[HOST_FORWARD]  13       127.7.7.7  2222      10.128.0.7    22     0     0',
      '  UDP[HOST_FORWARD]  14       127.7.7.7  5353      10.128.0.7    53     0     0',
      'Hub -1 (net1):',
      '  TCP[HOST_FORWARD]  15       127.7.7.7  9999    169.254.169.10    9     0     0',
      '',
    ].join('\r\n')
    expect(parseUsernet(text)).toEqual([
      { forward: { protocol: 'tcp', hostAddress: '127.7.7.7', hostPort: 2222, guestPort: 22 }, guestAddress: '10.128.0.7' },
      { forward: { protocol: 'udp', hostAddress: '127.7.7.7', hostPort: 5353, guestPort: 53 }, guestAddress: '10.128.0.7' },
    ])
  })
})
