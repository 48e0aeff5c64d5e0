/** `kiln doctor`: what is missing on this machine, and the exact remedy. */
import type { Command } from 'commander'
import { diagnose, installMissing, machineFacts } from '../../app/doctor.ts'
import type { Finding } from '../../app/doctor.ts'
import { defineCommand } from '../define-command.ts'

export function addDoctorCommand(program: Command): void {
  defineCommand(program, {
    name: 'doctor',
    summary: 'which programs are missing on this machine, what needs them, and the command that installs them',
    options: [{ flags: '--install', help: 'install what is missing, from Debian' }],
    async action({ options, note, signal }) {
      let diagnosis = await diagnose()
      if (options['install'] === true && !diagnosis.ok) {
        await installMissing(diagnosis, note, signal)
        diagnosis = await diagnose()
      }
      return { ...diagnosis, machine: await machineFacts(), exitCode: diagnosis.ok ? 0 : 1 }
    },
    render(result) {
      const findings = result['findings'] as readonly Finding[]
      const lines = findings.map((finding) => {
        const mark = finding.found !== undefined ? 'ok     ' : finding.optional ? 'absent ' : 'MISSING'
        return `${mark} ${finding.name.padEnd(22)} ${(finding.found ?? `package ${finding.package}`).padEnd(52)} ${finding.neededBy}`
      })
      if (typeof result['remedy'] === 'string') lines.push('', 'install what is missing:', `  ${result['remedy']}`, 'or let kiln do it:', '  kiln doctor --install')
      return lines.join('\n')
    },
  })
}
