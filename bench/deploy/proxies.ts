/** The two proxies in front of one upstream: nginx as a plain reverse proxy, and HAProxy with the configuration that the pocket cloud makes. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeConfig } from '../../src/cloud/rooms/compute/balancing/config.ts'
import { createHaproxy } from '../../src/cloud/rooms/compute/balancing/haproxy.ts'
import { planOf } from '../../src/cloud/rooms/compute/balancing/service.checks.ts'
import { plainBackend } from '../../src/cloud/rooms/compute/balancing/testing.model.ts'
import { readTextIfExists } from '../../src/host/files.ts'
import type { KilnHome } from '../../src/host/home.ts'
import { freePort } from '../../src/host/ports.ts'
import { processFacts, startServer } from '../cloud/server-process.ts'
import type { ServerProcess } from '../cloud/server-process.ts'
import type { Program } from '../cloud/tools.ts'
import { cadence } from './front.ts'

interface Place {
  readonly program: Program
  readonly folder: string
  readonly signal: AbortSignal
}

export interface Upstream {
  readonly host: string
  readonly port: number
}

/** An upstream that costs next to nothing, in the place of a machine: nginx that answers these bytes from its configuration. */
export async function openStandIn({ program, folder, signal }: Place, body: string): Promise<ServerProcess & Upstream> {
  const port = await freePort()
  const text = JSON.stringify(body).replaceAll('$', '')
  const config = await nginxConfig(join(folder, 'stand-in'), [`server { listen 127.0.0.1:${port}; location / { default_type application/json; return 200 ${text}; } }`])
  const server = await startNginx('the stand-in', { program, folder, signal }, config, port)
  return { ...server, host: '127.0.0.1', port }
}

/** Connections to the upstream are kept, as HAProxy keeps them; the headers are those that a proxy adds. */
export async function openNginxProxy({ program, folder, signal }: Place, name: string, upstream: Upstream): Promise<ServerProcess> {
  const port = await freePort()
  const config = await nginxConfig(join(folder, `nginx-${name}`), [
    `upstream machine { server ${upstream.host}:${upstream.port}; keepalive 64; keepalive_requests 1000000000; keepalive_timeout 610s; }`,
    'server {',
    `  listen 127.0.0.1:${port};`,
    '  location / {',
    '    proxy_pass http://machine;',
    '    proxy_http_version 1.1;',
    '    proxy_set_header Connection "";',
    '    proxy_set_header Host $http_host;',
    '    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    '    proxy_set_header X-Forwarded-Proto $scheme;',
    '    proxy_set_header Via "1.1 nginx";',
    '    add_header Via "1.1 nginx";',
    '  }',
    '}',
  ])
  return startNginx('nginx', { program, folder, signal }, config, port)
}

async function startNginx(name: string, { program, folder, signal }: Place, config: { readonly file: string; readonly folder: string }, port: number): Promise<ServerProcess> {
  const args = ['-p', config.folder, '-c', config.file, '-e', join(config.folder, 'error.log')]
  return startServer({ name, program, args, cwd: config.folder, log: join(folder, 'nginx.log'), port }, signal)
}

async function nginxConfig(folder: string, http: readonly string[]): Promise<{ readonly file: string; readonly folder: string }> {
  await mkdir(join(folder, 'temporary'), { recursive: true })
  const file = join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path "${folder}/temporary/${name}";`)
  const lines = [
    'daemon off;',
    'worker_processes auto;',
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    `pid "${folder}/nginx.pid";`,
    `error_log "${folder}/error.log" warn;`,
    'events { worker_connections 512; }',
    'http {',
    ...temporary,
    'access_log off;',
    'tcp_nodelay on;',
    'keepalive_requests 1000000000;',
    'keepalive_timeout 610s;',
    ...http,
    '}',
    '',
  ]
  await writeFile(file, lines.join('\n'))
  return { file, folder }
}

/** A running process as something to measure. */
export function measured(name: string, url: string, pid: number, stop: () => Promise<void> = async () => {}): ServerProcess {
  return { name, url, stop, ...processFacts(pid) }
}

/** HAProxy as the pocket cloud starts it, with the configuration that it makes for this upstream behind a URL map without rules. */
export async function openHaproxy(home: KilnHome, upstream: Upstream, healthPath: string): Promise<ServerProcess & { readonly config: string }> {
  const haproxy = createHaproxy(home)
  const port = await freePort()
  const check = planOf({ type: 'HTTP', ...cadence, httpHealthCheck: { port: upstream.port, portSpecification: 'USE_FIXED_PORT', requestPath: healthPath, proxyHeader: 'NONE' } })
  const link = 'https://www.googleapis.com/compute/v1/projects/bench/global/backendServices/stand-in'
  const server = { name: `i1-${upstream.port}`, host: upstream.host, port: upstream.port, checkPort: upstream.port, weight: 100, isReady: true }
  const config = makeConfig(
    {
      frontends: [{ id: '1', address: '127.0.0.1', port, urlMap: { defaultService: link } }],
      backends: [plainBackend({ id: '2', link, scheme: 'EXTERNAL_MANAGED', check, servers: [server] })],
    },
    haproxy.paths,
  )
  await haproxy.load(config)
  const pid = Number(await readTextIfExists(join(home.cloud, 'balancer', 'haproxy.pid')))
  return { ...measured('Kiln', `http://127.0.0.1:${port}`, pid, () => haproxy.stop()), config: config.text }
}

/** A configuration without what names one machine, data folder or resource: what is left must be the same. */
export function essence(config: string): string {
  return config
    .replaceAll(/^ {2}(description|stats socket) .*$/gm, '  $1')
    .replaceAll(/"[^"]*\/errors\//g, '"')
    .replaceAll(/\d+\.\d+\.\d+\.\d+:\d+/g, 'ADDRESS')
    .replaceAll(/\b(frontend f|backend b|str\(b|server i)\d+/g, '$1N')
    .replaceAll(/(?<=server iN)-\d+/g, '')
    .replaceAll(/check port \d+/g, 'check port N')
    .replaceAll(/"port":\d+/g, '"port":N')
}
