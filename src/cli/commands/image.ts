/** Verbs over one part: publish, bake. */
import type { Command } from 'commander'
import { defineCommand } from '../define-command.ts'
import { targetOption } from '../target.ts'
import { withProgress } from '../with-progress.ts'

export function addImageCommands(program: Command): void {
  defineCommand(program, {
    name: 'publish',
    summary: 'build the wheel and upload it to the private index; published versions never change',
    options: [targetOption],
    stack: true,
    asks: true,
    async action(invocation) {
      const { publish } = await import('../../app/parts.ts')
      return withProgress(invocation, invocation.stackDir(), 'Make these changes?', publish)
    },
    render: (result) =>
      `${result['published'] === true ? 'published' : 'already published'}: ${String(result['package'])} ${String(result['version'])}\nindex    ${String(result['indexUrl'])}\nsha256   ${String(result['sha256'])}`,
  })

  defineCommand(program, {
    name: 'bake',
    summary: 'golden image from the config: bake, import, boot test, then the family; nothing to do when no input changed',
    arguments: [{ form: '[image]', help: 'one image of the config (default: all)' }],
    options: [
      { flags: '--no-cache', help: 'make every layer anew; with an image that is there already: bake again and compare the bytes' },
      { flags: '--update-lock', help: 'take the newest Debian packages of the suite instead of those in kiln.lock' },
      targetOption,
    ],
    stack: true,
    asks: true,
    async action(invocation) {
      const { bake } = await import('../../app/parts.ts')
      return withProgress(invocation, invocation.stackDir(), 'Make these changes?', (options) =>
        bake({ ...options, image: invocation.args[0], noCache: invocation.options['cache'] === false, updateLock: invocation.options['updateLock'] === true }),
      )
    },
    render(result) {
      const images = Array.isArray(result['images']) ? (result['images'] as Record<string, unknown>[]) : [result]
      return images
        .map((image) => {
          const state = image['reproduced'] === true ? 'baked again, same bytes' : image['cached'] === true ? 'nothing to do' : 'baked'
          const changes = (image['changes'] as readonly string[] | undefined) ?? []
          return [
            `${String(image['family'])}: ${state}`,
            `  image    ${String(image['image'])}`,
            ...(image['digest'] === '' ? [] : [`  digest   ${String(image['digest'])}`]),
            ...changes.map((line) => `  because  ${line}`),
          ].join('\n')
        })
        .join('\n')
    },
  })
}
