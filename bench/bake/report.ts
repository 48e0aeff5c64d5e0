/** The result of the bake benchmark as a table for people. */
import { formatBytes } from '../../src/base/units.ts'
import { formatRatio, formatSeconds, median } from '../statistics.ts'
import type { BakeBenchResult } from './bake.ts'

/** The whole text, with a line end. */
export function bakeReport(result: BakeBenchResult): string {
  const { machine, kiln, packer, ratios } = result
  const row = (name: string, value: string, more = ''): string => `  ${name.padEnd(42)}${value.padStart(9)}${more === '' ? '' : `   ${more}`}`
  const measured = (name: string, values: readonly number[]): string =>
    row(name, formatSeconds(median(values)), values.length === 1 ? 'one run' : `median of ${values.map((each) => (each / 1000).toFixed(2)).join(', ')}`)
  return [
    `bake: ${result.subject}, both sides from the same base disk (${formatBytes(result.baseDiskBytes)}) and the same wheel`,
    `  ${machine.cores} cores (${machine.processor}), ${machine.memoryMib} MiB, ${machine.system}, accelerator ${machine.accelerator}`,
    `  packer ${machine.packer}, qemu ${machine.qemu}, node ${machine.node}; load average ${Object.entries(result.load)
      .map(([name, value]) => `${value} (${name})`)
      .join(', ')}`,
    '',
    measured('Kiln, server-image bake', kiln.bakeMs),
    ...kiln.steps.map(({ step, durationMs }) => row(`  ${step}`, formatSeconds(durationMs))),
    measured('Kiln, no-change bake', kiln.noChangeMs),
    measured('Packer, qemu builder', packer.buildMs),
    ...packer.stages.map(({ stage, durationMs }) => row(`  ${stage}`, formatSeconds(durationMs))),
    '',
    row('Packer / Kiln bake', formatRatio(ratios.bake)),
    row('Packer / Kiln no-change bake', formatRatio(ratios.noChange), 'Packer has no such thing: it makes the image again'),
    '',
    'Packer’s figure contains a boot of the machine, Kiln’s does not: Kiln boots the finished disk afterwards, to test it.',
    row('Kiln, boot test until healthy', formatSeconds(kiln.bootTestMs)),
    row('Packer / (Kiln bake + boot test)', formatRatio(ratios.bakeAndBootTest), 'for comparison: Packer’s image is not tested in its figure'),
    row('the same boot test of Packer’s disk', formatSeconds(packer.bootTestMs)),
    row('Kiln, packing for Compute Engine', formatSeconds(kiln.packMs)),
    '',
    `The same in both disks, read from their file systems${kiln.sameDigest ? '; all bakes of Kiln gave the same disk, bit for bit' : ''}:`,
    ...result.content.map((check) => `  ${check.same ? 'same' : 'DIFFERENT'}  ${check.what}: ${check.detail}`),
    '',
  ].join('\n')
}
