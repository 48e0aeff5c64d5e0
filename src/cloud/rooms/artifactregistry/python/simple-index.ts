/**
 * The pages of the simple index, as text. HTML: PEP 503, 592, 629, 658, 714. JSON: PEP 691, 700.
 * https://packaging.python.org/en/latest/specifications/simple-repository-api/
 */
import type { FileRecord } from '../store.ts'
import type { IndexForm } from './negotiate.ts'

/** PEP 629 and 700. Later versions add project status, tracks and provenance, which are absent here. */
const API_VERSION = '1.1'

/** The list of all projects. */
export function renderRoot(form: IndexForm, names: readonly string[]): string {
  if (form === 'json') return JSON.stringify({ meta: { 'api-version': API_VERSION }, projects: names.map((name) => ({ name })) })
  return renderHtml(
    'Simple index',
    names.map((name) => `<a href="${name}/">${name}</a><br>`),
  )
}

/** The page of one project; `files` in the order in which they shall appear. Links are relative to `/P/R/simple/NAME/`. */
export function renderProject(form: IndexForm, name: string, files: readonly FileRecord[]): string {
  return form === 'json'
    ? renderProjectJson(name, files)
    : renderHtml(
        `Links for ${name}`,
        files.map((file) => anchor(file)),
      )
}

function renderProjectJson(name: string, files: readonly FileRecord[]): string {
  return JSON.stringify({
    meta: { 'api-version': API_VERSION },
    name,
    versions: [...new Set(files.map((file) => file.version))],
    files: files.map((file) => ({
      filename: file.filename,
      url: fileUrl(file),
      hashes: { sha256: file.sha256 },
      ...(file.requiresPython === undefined ? {} : { 'requires-python': file.requiresPython }),
      size: file.sizeBytes,
      'upload-time': file.uploadTime,
      yanked: file.yanked === undefined ? false : file.yanked === '' ? true : file.yanked,
      // PEP 714: only under this key in JSON, since pip 22.3 to 23.0 fails on the older one.
      'core-metadata': file.metadataSha256 === undefined ? false : { sha256: file.metadataSha256 },
    })),
  })
}

function anchor(file: FileRecord): string {
  const attributes = [`href="${escapeHtml(`${fileUrl(file)}#sha256=${file.sha256}`)}"`]
  if (file.requiresPython !== undefined) attributes.push(`data-requires-python="${escapeHtml(file.requiresPython)}"`)
  if (file.metadataSha256 !== undefined) {
    // Both names (PEP 714). The hash is that of the metadata file itself.
    attributes.push(`data-dist-info-metadata="sha256=${file.metadataSha256}"`, `data-core-metadata="sha256=${file.metadataSha256}"`)
  }
  if (file.yanked !== undefined) attributes.push(`data-yanked="${escapeHtml(file.yanked)}"`)
  return `<a ${attributes.join(' ')}>${escapeHtml(file.filename)}</a><br>`
}

function fileUrl(file: FileRecord): string {
  return `../../${file.package}/${encodeURIComponent(file.filename)}`
}

function renderHtml(title: string, lines: readonly string[]): string {
  return `<!DOCTYPE html>
<html>
  <head>
    <meta name="pypi:repository-version" content="${API_VERSION}">
    <title>${escapeHtml(title)}</title>
  </head>
  <body>
    <h1>${escapeHtml(title)}</h1>
${lines.map((line) => `    ${line}\n`).join('')}  </body>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
