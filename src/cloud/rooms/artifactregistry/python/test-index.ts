/** For tests: a pocket cloud with this room, the repository `pypi` in project p-one, and a short way to upload. */
import { startTestCloud } from '../../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../../kernel/testing.ts'
import { createArtifactRegistryRoom } from '../index.ts'
import { makeForm, makeWheel, uploadParts } from './testing.ts'
import type { FormPart, WheelOptions } from './testing.ts'

export const api = 'artifactregistry.googleapis.com/v1/projects/p-one/locations/us-central1'
export const index = 'us-central1-python.pkg.dev/p-one/pypi'

export interface TestIndex {
  readonly cloud: TestCloud
  /** Sends an upload form to the repository, or to `path`. */
  readonly send: (parts: readonly FormPart[], path?: string, token?: string) => Promise<CallResult>
  /** Makes and uploads a wheel. @throws Error when it is refused */
  readonly uploadWheel: (name: string, version: string, options?: WheelOptions) => Promise<ReturnType<typeof makeWheel>>
}

export async function startTestIndex(maxUploadBytes = 3_000_000): Promise<TestIndex> {
  const cloud = await startTestCloud(() => [createArtifactRegistryRoom({ maxUploadBytes })])
  cloud.addProject('p-one')
  cloud.addProject('p-two')
  await cloud.call('POST', `${api}/repositories?repositoryId=pypi`, { body: { format: 'PYTHON', mode: 'MODE_UNSPECIFIED' } })

  async function send(parts: readonly FormPart[], path = `${index}/`, token?: string): Promise<CallResult> {
    const form = makeForm(parts)
    return cloud.call('POST', path, { body: form.body, headers: form.headers, ...(token === undefined ? {} : { token }) })
  }

  return {
    cloud,
    send,
    async uploadWheel(name, version, options) {
      const wheel = makeWheel(name, version, options)
      const answer = await send(uploadParts(wheel.filename, wheel.bytes, { name, version }))
      if (answer.status !== 200 || answer.text !== '') throw new Error(`the upload was answered ${answer.status}: ${answer.text}`)
      return wheel
    },
  }
}
