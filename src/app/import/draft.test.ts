/** The text of a draft. */
import { expect, test } from 'vitest'
import type { StackInput } from '../../config/schema.ts'
import { draftText } from './draft.ts'

const stack: StackInput = {
  project: { id: 'moshi-3', name: "Moshi's" },
  location: { region: 'us-central1' },
  images: { python3: { debian: 'bookworm' }, 'moshi-srv': { from: 'python3', entrypoint: '/run.sh' } },
}

test('short objects stay in one line, comments stand above what they speak of, and texts are quoted', () => {
  expect(draftText(stack, ['A draft.'], { 'images.moshi-srv': 'look here' })).toBe(`// A draft.
import { defineStack } from 'kiln'

export default defineStack({
  project: { id: 'moshi-3', name: 'Moshi\\'s' },
  location: { region: 'us-central1' },
  images: {
    python3: { debian: 'bookworm' },
    // look here
    'moshi-srv': { from: 'python3', entrypoint: '/run.sh' },
  },
})
`)
})

test('what is in a text stays in it', async () => {
  const odd = 'a\\b\'c"d\ne${f}`'
  const text = draftText({ ...stack, project: { id: odd } }, [], {}).replace(/^import .*$/m, 'const defineStack = (value) => value')
  const module = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(text)}`)) as { readonly default: StackInput }
  expect(module.default.project.id).toBe(odd)
})

test('long lists are broken into lines', () => {
  const text = draftText({ ...stack, apis: Array.from({ length: 9 }, (_each, index) => `service-number-${index}.googleapis.com`) }, [], {})
  expect(text).toContain("  apis: [\n    'service-number-0.googleapis.com',\n")
})
