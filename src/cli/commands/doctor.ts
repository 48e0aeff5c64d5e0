/** `kiln doctor`: what is missing on this machine, and the exact remedy. */
import type { Command } from 'commander'
import type { TokenReport } from '../../app/github-types.ts'
import { KilnError } from '../../base/errors.ts'
import { diagnose, installMissing, machineFacts } from '../../app/doctor.ts'
import type { Finding } from '../../app/doctor.ts'
import type { GcpFinding } from '../../app/gcp/findings.ts'
import { defineCommand } from '../define-command.ts'
import { isOnGoogle, targetOf, targetOption } from '../target.ts'
import { verbOptions } from '../with-progress.ts'

export function addDoctorCommand(program: Command): void {
  const doctor = defineCommand(program, {
    name: 'doctor',
    summary: 'which programs are missing on this machine, what needs them, and the command that installs them',
    options: [{ flags: '--install', help: 'install what is missing, from Debian' }, targetOption],
    stack: true,
    footer: 'With --target gcp: what `kiln up --target gcp` of the stack needs (credentials, project, billing, permissions, APIs, quotas), before it changes anything.',
    async action(invocation) {
      const { options, note, signal } = invocation
      if (isOnGoogle(invocation)) {
        const { examineGoogle } = await import('../../app/gcp/examine.ts')
        const findings = await examineGoogle(verbOptions(invocation, invocation.stackDir()))
        const isReady = findings.every((finding) => finding.state !== 'missing')
        return { ok: isReady, target: 'gcp', findings, exitCode: isReady ? 0 : 1 }
      }
      let diagnosis = await diagnose()
      if (options['install'] === true && !diagnosis.ok) {
        await installMissing(diagnosis, note, signal)
        diagnosis = await diagnose()
      }
      return { ...diagnosis, machine: await machineFacts(), exitCode: diagnosis.ok ? 0 : 1 }
    },
    render(result) {
      if (result['target'] === 'gcp') return renderGoogle(result['findings'] as readonly GcpFinding[])
      const findings = result['findings'] as readonly Finding[]
      const lines = findings.map((finding) => {
        const mark = finding.found !== undefined ? 'ok     ' : finding.optional ? 'absent ' : 'MISSING'
        return `${mark} ${finding.name.padEnd(22)} ${(finding.found ?? `package ${finding.package}`).padEnd(52)} ${finding.neededBy}`
      })
      if (typeof result['remedy'] === 'string') lines.push('', 'install what is missing:', `  ${result['remedy']}`, 'or let kiln do it:', '  kiln doctor --install')
      return lines.join('\n')
    },
  })

  // Else `doctor` would take options that stand after `github`.
  doctor.enablePositionalOptions()
  defineCommand(doctor, {
    name: 'github',
    summary: 'whether a GitHub OIDC token would be admitted by the workload identity provider, may act as the account of the stack, and which claim is in the way',
    options: [
      { flags: '--token <file>', help: 'file with the token, - for standard input' },
      { flags: '--provider <name>', help: 'POOL/PROVIDER of the project, or a .json file with one as gcloud describes it (default: the one of the project)' },
      { flags: '--keys <file>', help: "the issuer's keys as a JWKS file, instead of asking the issuer" },
      targetOption,
    ],
    stack: true,
    footer: [
      'Nothing is exchanged: the token is decoded, and the steps of the exchange are evaluated here. Exit code 1 when it would be refused.',
      'With --target gcp the provider, and the policy of the account that the section `github` of the config makes, are those that are live on Google.',
    ].join('\n'),
    async action(invocation) {
      const { token, provider, keys } = invocation.options as { readonly token?: string; readonly provider?: string; readonly keys?: string }
      if (token === undefined) throw new KilnError('E_USAGE', 'which token? none is named', { hint: 'kiln doctor github --token FILE (- for standard input)' })
      const { examineGithubToken } = await import('../../app/github-doctor.ts')
      const report = await examineGithubToken({
        home: invocation.home,
        dir: invocation.stackDir(),
        note: invocation.note,
        target: targetOf(invocation),
        token,
        ...(provider === undefined ? {} : { provider }),
        ...(keys === undefined ? {} : { keys }),
      })
      return { ...report, exitCode: report.admitted ? 0 : 1 }
    },
    render: (result) => renderTokenReport(result as unknown as TokenReport),
  })
}

/** One line for each thing that a run needs, its remedy below. */
export function renderGoogle(findings: readonly GcpFinding[]): string {
  const marks = { ok: 'ok     ', missing: 'MISSING', person: 'TO DO  ', later: 'later  ' }
  return findings
    .flatMap(({ state, check, detail, remedy }) => [
      `${marks[state]} ${check.padEnd(22)} ${detail}`,
      ...(remedy === undefined ? [] : [`          ${remedy.replaceAll('\n', '\n        ')}`]),
    ])
    .join('\n')
}

/** One line for each claim and each step, the verdict last. */
export function renderTokenReport({ steps, claims, failure, admitted, principal }: TokenReport): string {
  const marks = { ok: 'ok     ', failed: 'FAILED ', skipped: 'skipped' }
  return [
    ...Object.entries(claims).map(([name, value]) => `  ${name.padEnd(22)} ${typeof value === 'string' ? value : JSON.stringify(value)}`),
    ...(Object.keys(claims).length === 0 ? [] : ['']),
    ...steps.flatMap((step) => [
      `${marks[step.status]} ${step.name.padEnd(10)} ${step.message}`,
      ...(step.status === 'failed'
        ? [...(step.claim === undefined ? [] : [`        claim  ${step.claim}`]), ...(step.next === undefined ? [] : [`        next   ${step.next}`])]
        : []),
    ]),
    '',
    admitted
      ? `admitted as ${principal ?? ''}`
      : `refused: ${failure === undefined ? 'the signature was not checked' : `${failure.name}${failure.claim === undefined ? '' : ` (${failure.claim})`}`}`,
  ].join('\n')
}
