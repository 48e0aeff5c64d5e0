/** `kiln cloud …`: the pocket cloud alone. */
import type { Command } from 'commander'
import { cloudStatus, ownerToken, resetCloud, startCloud, stopCloud } from '../../app/cloud/control.ts'
import { listFaults } from '../../app/cloud/faults.ts'
import type { SetFault } from '../../app/cloud/faults.ts'
import { KilnError } from '../../base/errors.ts'
import { confirm } from '../confirm.ts'
import { defineCommand, wholeNumber } from '../define-command.ts'
import { addFaultCommands, renderFaults } from './cloud-faults.ts'
import { addCloudToolCommands } from './cloud-tools.ts'

export function addCloudCommands(program: Command): void {
  const cloud = program.command('cloud').description('the pocket cloud alone: Google Cloud APIs, real VMs and a Python index on this machine')

  defineCommand(cloud, {
    name: 'start',
    summary: 'start the pocket cloud of this KILN_HOME (nothing to do when it runs)',
    options: [
      { flags: '--port <n>', help: 'TCP port on 127.0.0.1; 0 for a free one (default: the one of last time, else a free one)', parse: wholeNumber },
      { flags: '--offline', help: "its proxy reaches Google's hosts alone: whatever else a tool asks for is refused" },
    ],
    async action({ home, options }) {
      const port = options['port'] as number | undefined
      const { started, daemon } = await startCloud({ home, offline: options['offline'] === true, ...(port === undefined ? {} : { port }) })
      return { started, running: true, url: daemon.url, pid: daemon.pid, port: daemon.port, home: home.root }
    },
    render: (result) => `${result['started'] === true ? 'started' : 'already running'}: ${String(result['url'])} (pid ${String(result['pid'])}, data in ${String(result['home'])})`,
  })

  defineCommand(cloud, {
    name: 'stop',
    summary: 'stop the daemon; virtual machines go on and are adopted at the next start',
    async action({ home }) {
      return { stopped: await stopCloud(home), running: false }
    },
    render: (result) => (result['stopped'] === true ? 'stopped' : 'was not running'),
  })

  defineCommand(cloud, {
    name: 'status',
    summary: 'whether the pocket cloud runs, where, and what faults are set',
    async action({ home }) {
      const status = await cloudStatus(home)
      return { ...status, ...(status.running ? { faults: await listFaults(home) } : {}) }
    },
    render: (result) =>
      result['running'] === true
        ? [
            `running: ${String(result['url'])} (pid ${String(result['pid'])}, since ${String(result['startedAt'])}${result['offline'] === true ? ', offline' : ''})`,
            ...(result['dnsPort'] === undefined ? [] : [`DNS: 127.0.0.1 port ${String(result['dnsPort'])}`]),
            ...faultLines(result['faults'] as readonly SetFault[]),
          ].join('\n')
        : `not running (data in ${String(result['home'])})`,
  })

  addFaultCommands(cloud)

  defineCommand(cloud, {
    name: 'reset',
    summary: 'stop everything and remove all projects, images, packages, objects and VMs of this KILN_HOME',
    asks: true,
    async action({ home, yes, json }) {
      await confirm(`Remove everything in the pocket cloud of ${home.root}?`, { yes, json })
      await resetCloud(home)
      return { reset: true, home: home.root }
    },
    render: () => 'the pocket cloud is empty',
  })

  addCloudToolCommands(cloud)

  defineCommand(cloud, {
    name: 'token',
    summary: 'print an access token of the owner (or of a service account, with --as)',
    options: [{ flags: '--as <email>', help: 'a token of this service account instead' }],
    async action({ home, options }) {
      const status = await cloudStatus(home)
      if (status.url === undefined) throw new KilnError('E_CLOUD_NOT_RUNNING', 'the pocket cloud is not running', { hint: 'start it: kiln cloud start' })
      const owner = await ownerToken(home, status.url)
      const email = options['as'] as string | undefined
      if (email === undefined) return { token: owner.accessToken, expiresInSeconds: owner.expiresInSeconds }
      const { impersonate } = await import('../../app/cloud/impersonate.ts')
      return { token: await impersonate(status.url, owner.accessToken, email), account: email }
    },
    render: (result) => String(result['token']),
  })
}

/** Nobody should look for a mistake where a fault was set and forgotten. */
function faultLines(faults: readonly SetFault[]): readonly string[] {
  return faults.length === 0 ? [] : ['faults on purpose:', renderFaults(faults)]
}
