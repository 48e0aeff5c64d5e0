/** Objects against a fake Cloud Storage with generations. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeStorage } from '../testing/fake-machines.ts'
import { bucketObjectKind } from './provider.ts'
import { bucketObjectTerraform } from './terraform.ts'

const folder = mkdtempSync(join(tmpdir(), 'kiln-objects-'))
afterAll(() => rmSync(folder, { recursive: true }))

function propsOf(name: string, content: string) {
  const source = join(folder, name)
  writeFileSync(source, content)
  return { bucket: 'b', name: 'dir/entrypoint.sh', source, md5: createHash('md5').update(content).digest('base64'), contentType: 'text/x-shellscript' }
}

const props = propsOf('one.sh', '#!/bin/sh\nexec one\n')
const storage = () => fakeStorage('objects')

kindContract(bucketObjectKind, {
  fake: storage,
  props,
  variants: [
    { props: propsOf('two.sh', '#!/bin/sh\nexec two\n'), paths: ['md5'] },
    { props: { ...props, contentType: 'text/plain' }, paths: ['contentType'] },
  ],
  drift: { change: (service) => Object.assign(service.objects.get('dir/entrypoint.sh'), { content: 'changed' }), paths: ['md5'] },
})

test('a write that came between is seen before it is written over', async () => {
  const service = storage()
  const fake = await startFake(service)
  const parsed = bucketObjectKind.parse(props)
  const observed = await bucketObjectKind.create(contextOf(fake), parsed)
  Object.assign(service.objects.get('dir/entrypoint.sh'), { content: 'someone else', generation: 900 })
  fake.forgetWrites()
  const after = await bucketObjectKind.update(contextOf(fake), parsed, observed, [])
  expect(after.md5).toBe(props.md5)
  // the refused one, and the one over what was then seen
  expect(fake.writes()).toHaveLength(2)
  await fake.close()
})

test('a file that changed after the plan is not uploaded', async () => {
  const fake = await startFake(storage())
  await expect(bucketObjectKind.create(contextOf(fake), { ...props, md5: 'AAAA' })).rejects.toMatchObject({ code: 'E_APPLY' })
  expect(fake.writes()).toEqual([])
  await fake.close()
})

test('Terraform', () => {
  expect(bucketObjectTerraform('entrypoint', props)).toEqual({
    type: 'google_storage_bucket_object',
    name: 'entrypoint',
    body: { bucket: 'b', name: 'dir/entrypoint.sh', source: props.source, content_type: 'text/x-shellscript', metadata: { 'managed-by': 'kiln' } },
  })
})
