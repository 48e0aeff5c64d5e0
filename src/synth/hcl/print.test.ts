/** HCL as the formatters leave it. conformance/synth shows them agree; here is what each rule means. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { printHcl, quoted } from './print.ts'
import { attribute, block, call, expression, gap, template } from './syntax.ts'
import type { Item } from './syntax.ts'

const example: readonly Item[] = [
  block(
    'resource',
    ['google_storage_bucket', 'images'],
    [
      attribute('for_each', call('toset', ['a'.repeat(60), 'b'.repeat(60)])),
      attribute('first', 1),
      gap,
      attribute('name', template(expression('var.project'), '-images')),
      attribute('location', call('upper', expression('var.region'))),
      attribute('size', 3),
      attribute('enabled', true),
      attribute('nothing', null),
      attribute('labels', call('merge', expression('var.labels'), { team: 'srv' })),
      attribute('tags', ['one', 'two']),
      attribute('mapping', { 'google.subject': 'assertion.sub', short: [], deep: { a: 1, longer: 2 }, last: {} }),
      attribute('rules', 'one "line"\n\n  ${two}\n'),
      block('versioning', [], [attribute('enabled', true)]),
      block('empty', [], []),
      block('lifecycle', [], [attribute('ignore_changes', [expression('version')])]),
    ],
    'Two lines\nof comment',
  ),
  block('output', ['x'], [attribute('value', expression('a.b'))]),
]

test('blocks, alignment, lists, maps and calls', () => {
  expect(printHcl(example)).toBe(`# Two lines
# of comment
resource "google_storage_bucket" "images" {
  for_each = toset([
    "${'a'.repeat(60)}",
    "${'b'.repeat(60)}",
  ])

  first = 1

  name     = "\${var.project}-images"
  location = upper(var.region)
  size     = 3
  enabled  = true
  nothing  = null

  labels = merge(var.labels, {
    team = "srv"
  })

  tags = ["one", "two"]

  mapping = {
    "google.subject" = "assertion.sub"
    short            = []
    deep = {
      a      = 1
      longer = 2
    }
    last = {}
  }

  rules = <<EOT
one "line"

  $\${two}
EOT

  versioning {
    enabled = true
  }

  empty {}

  lifecycle {
    ignore_changes = [version]
  }
}

output "x" {
  value = a.b
}
`)
})

test('a user’s words never become expressions', () => {
  expect(quoted('${var.secret} %{ if true } $${x} 50% $5')).toBe('"$${var.secret} %%{ if true } $$${x} 50% $5"')
  expect(quoted('say "no"\\\n\ttab\u0001')).toBe('"say \\"no\\"\\\\\\n\\ttab\\u0001"')
  expect(printHcl([attribute('a', template('${x}', expression('var.y')))])).toBe('a = "$${x}${var.y}"\n')
})

test('the same items give the same text', () => {
  expect(printHcl(example)).toBe(printHcl(structuredCloneOf(example)))
})

function structuredCloneOf(items: readonly Item[]): readonly Item[] {
  return items.map((item) => ({ ...item }))
}

const program = ['terraform', 'packer'].find((name) => (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, name))))

/** Packer's formatter is HCL's own, which Terraform uses too; Debian has Packer. */
test.skipIf(program === undefined)('a formatter leaves it as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kiln-hcl-'))
  const file = join(folder, program === 'terraform' ? 'main.tf' : 'main.pkr.hcl')
  writeFileSync(file, printHcl(example))
  execFileSync(program ?? '', ['fmt', file], { env: { PATH: process.env['PATH'] ?? '', HOME: folder, CHECKPOINT_DISABLE: '1' } })
  expect(readFileSync(file, 'utf8')).toBe(printHcl(example))
  rmSync(folder, { recursive: true })
})
