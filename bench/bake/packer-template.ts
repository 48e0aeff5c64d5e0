/** The Packer template, in JSON, and what its provisioners upload and run. */
import { join } from 'node:path'
import { MIB } from '../../src/base/units.ts'
import { SERVER_UID, serverFolder, unitName } from '../../src/image/recipe/server-unit.ts'
import type { ServerImageSpec } from '../../src/image/types.ts'
import type { Accelerator } from '../../src/vm/accelerator.ts'
import { acceleratorArguments } from '../../src/vm/qemu/arguments.ts'
import { accessPaths } from './access.ts'

export interface TemplateInput {
  readonly spec: ServerImageSpec
  /** The base disk with a way in. */
  readonly disk: string
  readonly diskSizeBytes: number
  readonly privateKey: string
  readonly firmwareCode: string
  /** A copy that the machine may write to. */
  readonly firmwareVars: string
  readonly accelerator: Accelerator
  /** Must not exist; gets `disk.raw`. */
  readonly outputFolder: string
  /** Folder with the wheel, the unit and the files; see `payloadFiles`. */
  readonly payload: string
}

export const resultDisk = 'disk.raw'

/** Name of an image file in the payload folder. */
export function payloadName(index: number): string {
  return `file-${index}`
}

/**
 * A template with the settings that make Packer's build as short as it can be: no wait before SSH, a raw disk without compaction or
 * resizing, the same virtual processor as Kiln's own machines, no network boot. Ports are on loopback alone.
 */
export function packerTemplate(input: TemplateInput): unknown {
  const { spec, privateKey, accelerator, outputFolder } = input
  const drive = (options: string): string[] => ['-drive', options]
  return {
    builders: [
      {
        type: 'qemu',
        disk_image: true,
        iso_url: input.disk,
        iso_checksum: 'none',
        format: 'raw',
        disk_size: `${input.diskSizeBytes / MIB}M`,
        output_directory: outputFolder,
        vm_name: resultDisk,
        headless: true,
        accelerator: 'none',
        cpus: 2,
        memory: 1024,
        boot_wait: '-1s',
        qemuargs: [
          ['-machine', 'q35,vmport=off'],
          ...pairs(acceleratorArguments(accelerator)),
          drive(`if=pflash,unit=0,format=raw,readonly=on,file=${input.firmwareCode}`),
          drive(`if=pflash,unit=1,format=raw,file=${input.firmwareVars}`),
          drive(`if=none,id=disk0,format=raw,cache=unsafe,discard=unmap,file=${join(outputFolder, resultDisk)}`),
          ['-device', 'virtio-blk-pci,drive=disk0,bootindex=1'],
          ['-netdev', 'user,id=user.0,hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22'],
          ['-device', 'virtio-net-pci,netdev=user.0,romfile='],
          ['-object', 'rng-random,id=rng0,filename=/dev/urandom'],
          ['-device', 'virtio-rng-pci,rng=rng0'],
        ],
        communicator: 'ssh',
        ssh_username: 'root',
        ssh_private_key_file: privateKey,
        ssh_timeout: '20m',
        shutdown_timeout: '10m',
        shutdown_command: `rm -rf ${[...accessPaths, '/etc/ssh/ssh_host_*'].join(' ')} && : > /etc/machine-id && systemctl poweroff`,
      },
    ],
    provisioners: [
      { type: 'file', source: input.payload, destination: '/tmp' },
      { type: 'shell', inline_shebang: '/bin/sh -eu', inline: provisioning(spec) },
    ],
  }
}

function pairs(args: readonly string[]): string[][] {
  const result: string[][] = []
  for (let index = 0; index < args.length; index += 2) result.push(args.slice(index, index + 2))
  return result
}

/** The same commands that Kiln's baker runs inside the root, with the wheel from the uploaded folder in place of the index. */
function provisioning(spec: ServerImageSpec): string[] {
  const venv = `${serverFolder(spec.name)}/venv`
  const unit = unitName(spec.name)
  const wheels = spec.wheels.map(({ name, version }) => `${name}==${version}`).join(' ')
  return [
    `useradd --system --uid ${SERVER_UID} --user-group --no-create-home --home-dir /var/lib/${spec.user} --shell /usr/sbin/nologin ${spec.user}`,
    `python3 -m venv --system-site-packages --without-pip ${venv}`,
    // Debian's own pip, from the package that python3-venv brings: a pip in the virtual environment would cost a minute under emulation.
    `PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) ${venv}/bin/python3 -m pip --isolated --disable-pip-version-check --no-input --no-cache-dir install --no-compile --no-deps --no-warn-script-location --no-index --find-links /tmp/payload ${wheels}`,
    `${venv}/bin/python3 -m compileall -q -f --invalidation-mode unchecked-hash ${venv}`,
    ...spec.files.map((file, index) => `install -D -m ${file.mode.toString(8)} /tmp/payload/${payloadName(index)} ${file.path}`),
    `install -m 644 /tmp/payload/${unit} /etc/systemd/system/${unit}`,
    `systemctl enable ${unit}`,
    'rm -rf /tmp/payload',
  ]
}
