/** nginx's side: the answers of Kiln as files, the same bytes to download, and WebDAV's PUT for uploads. A process of this run, never the system's service. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../src/host/ports.ts'
import { startServer } from './server-process.ts'
import type { Program } from './tools.ts'
import { downloadName, uploadNames, workloads } from './workloads.ts'
import type { Side, WorkloadName } from './workloads.ts'

/** Reads that nginx answers from files; the others need a program. */
export const staticWorkloads = ['metadata', 'list', 'bucket', 'instances', 'simple'] as const satisfies readonly WorkloadName[]

/** @param answers bodies of Kiln for each path of a read, in order */
export async function openNginx(options: {
  readonly program: Program
  readonly folder: string
  readonly headers: Readonly<Record<string, string>>
  readonly answers: Readonly<Record<(typeof staticWorkloads)[number], readonly Buffer[]>>
  readonly bodyFile: (bodyBytes: number) => string
  readonly body: (bodyBytes: number) => Buffer
  readonly signal: AbortSignal
}): Promise<Side> {
  const { headers, signal } = options
  const folder = join(options.folder, 'nginx')
  for (const name of ['root/answers', 'root/objects', 'root/uploads', 'temporary']) await mkdir(join(folder, name), { recursive: true })
  for (const workload of staticWorkloads) {
    for (const [index, bytes] of options.answers[workload].entries()) await writeFile(join(folder, `root/answers/${workload}-${index}.json`), bytes)
  }
  for (const { bodyBytes } of [workloads.downloadSmall, workloads.downloadLarge]) await writeFile(join(folder, 'root/objects', downloadName(bodyBytes)), options.body(bodyBytes))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), nginxConfig(folder, port))
  const server = await startServer(
    {
      name: 'nginx',
      program: options.program,
      args: ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')],
      cwd: folder,
      log: join(options.folder, 'nginx.log'),
      port,
    },
    signal,
  )
  const upload = (bodyBytes: number): ReturnType<Side['load']> => ({
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
    paths: uploadNames(bodyBytes).map((name) => `/uploads/${name}`),
    body: { file: options.bodyFile(bodyBytes), sizeBytes: bodyBytes },
  })
  return {
    name: 'nginx',
    server,
    load(workload) {
      const { bodyBytes } = workloads[workload]
      if (workload === 'downloadSmall' || workload === 'downloadLarge') return { method: 'GET', headers, paths: [`/objects/${downloadName(bodyBytes)}`] }
      if (workload === 'uploadSmall' || workload === 'uploadLarge') return upload(bodyBytes)
      const known = staticWorkloads.find((each) => each === workload)
      return known === undefined ? undefined : { method: 'GET', headers, paths: options.answers[known].map((_, index) => `/answers/${known}-${index}.json`) }
    },
  }
}

/** Settings that make it fastest: open files kept, no access log, the kernel's own copy, connections without end, a process for each core. */
function nginxConfig(folder: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path "${folder}/temporary/${name}";`)
  return [
    'daemon off;',
    'worker_processes auto;',
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    `pid "${folder}/nginx.pid";`,
    `error_log "${folder}/error.log" warn;`,
    'events { worker_connections 512; }',
    'http {',
    ...temporary,
    '  default_type application/json;',
    '  access_log off;',
    '  sendfile on;',
    '  tcp_nopush on;',
    '  keepalive_requests 1000000000;',
    '  client_max_body_size 0;',
    '  server {',
    `    listen 127.0.0.1:${port};`,
    `    root "${folder}/root";`,
    '    location /answers/ { open_file_cache max=1000; }',
    '    location /objects/ { open_file_cache max=1000; }',
    '    location /uploads/ { dav_methods PUT; }',
    '  }',
    '}',
    '',
  ].join('\n')
}
