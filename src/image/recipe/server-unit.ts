/** The systemd unit of a server image, and where its parts lie in the image. */
import type { ServerImageSpec } from '../types.ts'
import { warmStartUnit } from './warm-start.ts'

/** Fixed, so that files of the server have the same owner in every image. Below Debian's dynamic system ids. */
export const SERVER_UID = 880

/** Folder of the server in the image. */
export function serverFolder(imageName: string): string {
  return `/opt/${imageName}`
}

export function unitName(imageName: string): string {
  return `${imageName}.service`
}

/**
 * Starts as soon as files can be read: it needs no network to listen, so that it is ready when the first packet arrives. On a machine that goes on from a
 * snapshot it starts there, with that machine's identity; it never ran before.
 * stdout and stderr go to the journal and to the serial port, which is the log channel that every cloud shows.
 */
export function serverUnit(spec: Pick<ServerImageSpec, 'name' | 'user' | 'entrypoint' | 'port' | 'environment'>): string {
  const environment = {
    PATH: `${serverFolder(spec.name)}/venv/bin:/usr/local/bin:/usr/bin:/bin`,
    KILN_VENV: `${serverFolder(spec.name)}/venv`,
    VIRTUAL_ENV: `${serverFolder(spec.name)}/venv`,
    PYTHONUNBUFFERED: '1',
    PORT: String(spec.port),
    ...spec.environment,
  }
  return `[Unit]
Description=Server ${spec.name}
DefaultDependencies=no
After=local-fs.target systemd-journald.socket ${warmStartUnit}
Conflicts=shutdown.target
Before=shutdown.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=${spec.user}
Group=${spec.user}
ExecStart=${spec.entrypoint}
StateDirectory=${spec.user}
WorkingDirectory=/var/lib/${spec.user}
${Object.entries(environment)
  .map(([name, value]) => `Environment=${quote(`${name}=${value}`)}\n`)
  .join('')}Restart=on-failure
RestartSec=1
StandardOutput=journal+console
StandardError=journal+console
SyslogIdentifier=${spec.name}
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes
${spec.port < 1024 ? 'AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n' : 'CapabilityBoundingSet=\n'}
[Install]
WantedBy=multi-user.target
`
}

/** systemd.syntax(7): double quotes, backslash escapes; '%' and '$' would be expanded. */
function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('\n', '\\n')}"`
}
