/** The repository checks itself: layers, file sets, sizes, documents. See CONTRIBUTING.md. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorCodes } from '../src/base/error-codes.ts'
import { importsOf, layerOf, root, sourceFiles } from '../tools/imports.ts'
import { layers, onlyIn } from '../tools/layers.ts'
import { lintConfigText } from '../tools/make-lint-config.ts'

const files = sourceFiles('src')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('layers', () => {
  test('the scan sees the code base', () => {
    expect(files.length).toBeGreaterThan(100)
    expect(files.flatMap(importsOf).length).toBeGreaterThan(files.length)
  })

  test('every file of src belongs to a layer', () => {
    expect(files.filter((file) => file !== 'src/index.ts' && layerOf(file) === undefined)).toEqual([])
  })

  test('imports only go where the table allows', () => {
    const wrong: string[] = []
    for (const file of files) {
      const layer = layerOf(file)
      if (layer === undefined) continue
      for (const { to, specifier } of importsOf(file)) {
        if (to === undefined) {
          const allowed = onlyIn[specifier.split('/')[0]?.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier]
          if (allowed !== undefined && !allowed.includes(layer.folder) && !file.endsWith('.test.ts'))
            wrong.push(`${file} imports ${specifier}, which only ${allowed.join(', ')} may`)
          continue
        }
        const target = layerOf(to)
        if (target === undefined || target.folder === layer.folder) continue
        if (!layer.mayImport.includes(target.folder)) wrong.push(`${file} -> ${to}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('rooms and resource kinds never reach into each other', () => {
    const wrong: string[] = []
    for (const layer of layers.filter((each) => each.isolatedMembers === true)) {
      const member = (path: string): string | undefined => new RegExp(`^src/${layer.folder}/([^/]+)/`).exec(path)?.[1]
      for (const file of files.filter((each) => member(each) !== undefined && !each.endsWith('.test.ts'))) {
        for (const { to } of importsOf(file)) {
          if (to !== undefined && member(to) !== undefined && member(to) !== member(file)) wrong.push(`${file} -> ${to}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('every import resolves to a file', () => {
    const missing = files
      .filter((file) => !file.endsWith('.test.ts'))
      .flatMap(importsOf)
      .filter(({ to }) => to !== undefined && !existsSync(join(root, to)))
    expect(missing).toEqual([])
  })
})

describe('file sets', () => {
  test('a room has its files and no unknown ones', () => {
    for (const room of readdirSync(join(root, 'src/cloud/rooms'))) {
      const names = readdirSync(join(root, 'src/cloud/rooms', room))
      for (const needed of ['index.ts', 'routes.ts', 'service.ts', 'README.md']) {
        const stem = needed.replace(/\.ts$/, '')
        expect(
          names.some((name) => name === needed || (name.startsWith(`${stem}.`) && name.endsWith('.ts') && !name.includes('.test.'))),
          `${room} has no ${needed}`,
        ).toBe(true)
      }
      expect(
        names.some((name) => name.endsWith('.test.ts')),
        `${room} has no test`,
      ).toBe(true)
    }
  })

  test('a resource kind has its files', () => {
    for (const entry of readdirSync(join(root, 'src/resources'), { withFileTypes: true }).filter((each) => each.isDirectory())) {
      const names = readdirSync(join(root, 'src/resources', entry.name))
      for (const needed of ['schema.ts', 'resource.ts', 'provider.ts', 'terraform.ts', 'provider.test.ts']) {
        if (entry.name.startsWith('_') || entry.name === 'shared' || entry.name === 'testing') continue
        expect(names, `src/resources/${entry.name}`).toContain(needed)
      }
    }
  })
})

describe('source', () => {
  test('no file is over 500 lines', () => {
    expect(files.filter((file) => read(file).split('\n').length > 500)).toEqual([])
  })

  test('no enum, namespace, any or parameter property', () => {
    const wrong = files.filter((file) =>
      /^\s*(export\s+)?(const\s+)?enum\s|^\s*(export\s+)?namespace\s|constructor\((?:[^)]*,)?\s*(private|public|protected|readonly)\s+\w+\s*[:?]/m.test(read(file)),
    )
    expect(wrong).toEqual([])
    const code = (file: string): string =>
      read(file)
        .replaceAll(/\/\/ oxlint-disable-next-line typescript\/no-explicit-any.*\n.*\n/g, '')
        .replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    const any = files.filter((file) => /(:\s*any\b|<any[,>]|\bas any\b)/.test(code(file)))
    expect(any).toEqual([])
  })

  test('the names of registries and of this machine are nowhere', () => {
    const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
    const banned = [/registry\.npmjs\.org/, /\bpypi\.org\b/, /proxy\.golang\.org/, /\/root\/(?!dev|proc|sys|\.ssh)/]
    const found = tracked.filter((file) => file !== 'tests/tidy.test.ts' && existsSync(join(root, file)) && banned.some((pattern) => pattern.test(read(file))))
    expect(found).toEqual([])
  })

  test('plain node starts the program: nothing needs more than type stripping', () => {
    const output = execFileSync(process.execPath, [join(root, 'src/cli/main.ts'), '--version'], { encoding: 'utf8' })
    expect(output.trim()).toBe((JSON.parse(read('package.json')) as { version: string }).version)
  })
})

describe('documents', () => {
  test('every error code is explained, and every explained code exists', () => {
    const documented = [...read('docs/errors.md').matchAll(/^### (E_\w+)$/gm)].map((match) => match[1])
    expect([...documented].sort()).toEqual(Object.keys(errorCodes).sort())
  })

  test('relative links lead to files', () => {
    const broken: string[] = []
    const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
    for (const document of documents.filter((each) => existsSync(join(root, each)))) {
      for (const match of read(document).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
        if (!existsSync(resolve(root, dirname(document), match[1] ?? ''))) broken.push(`${document}: ${match[1]}`)
      }
    }
    expect(broken).toEqual([])
  })

  test('the lint configuration is the one made from the layer table', () => {
    expect(read('.oxlintrc.json')).toBe(lintConfigText())
  })

  test('every example is run by some test, by make demo or by a conformance case', () => {
    const cases = readdirSync(join(root, 'conformance'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.sh') && !file.includes('node_modules'))
    const texts = [
      read('Makefile'),
      ...[...sourceFiles('tests'), ...files.filter((file) => file.endsWith('.test.ts')), ...cases.map((file) => join('conformance', file))].map(read),
    ].join('\n')
    for (const example of readdirSync(join(root, 'examples'))) expect(texts).toContain(`examples/${example}`)
  })
})
