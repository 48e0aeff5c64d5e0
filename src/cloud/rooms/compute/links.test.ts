import { expect, test } from 'vitest'
import { parseLink, parseObjectUrl, selfLink } from './links.ts'

const defaults = { projectId: 'me', scope: 'zones/us-central1-c', collection: 'disks' }

test('every form in which clients write a link names the same thing', () => {
  const forms = [
    'https://www.googleapis.com/compute/v1/projects/p/zones/z/disks/d',
    'https://compute.googleapis.com/compute/v1/projects/p/zones/z/disks/d',
    'https://www.googleapis.com/compute/beta/projects/p/zones/z/disks/d',
    'http://127.0.0.1:4000/compute.googleapis.com/compute/v1/projects/p/zones/z/disks/d',
    '/compute/v1/projects/p/zones/z/disks/d',
    'projects/p/zones/z/disks/d',
    'https://compute.googleapis.com/compute/v1/p/zones/z/disks/d',
  ]
  for (const form of forms) expect(parseLink(form, defaults), form).toEqual({ projectId: 'p', scope: 'zones/z', collection: 'disks', name: 'd', isFamily: false })
  expect(parseLink('zones/z/disks/d', defaults)).toMatchObject({ projectId: 'me', scope: 'zones/z' })
  expect(parseLink('d', defaults)).toMatchObject({ projectId: 'me', scope: 'zones/us-central1-c', name: 'd' })
  expect(selfLink(parseLink('d', defaults))).toBe('https://www.googleapis.com/compute/v1/projects/me/zones/us-central1-c/disks/d')
})

test('families, and zones as things of their own', () => {
  const images = { projectId: 'me', scope: 'global', collection: 'images' }
  expect(parseLink('https://compute.googleapis.com/compute/v1/projects/p/global/images/family/f', images)).toEqual({
    projectId: 'p',
    scope: 'global',
    collection: 'images',
    name: 'f',
    isFamily: true,
  })
  expect(parseLink('global/images/family/f', images)).toMatchObject({ projectId: 'me', name: 'f', isFamily: true })
  expect(parseLink('family/f', images)).toMatchObject({ name: 'f', isFamily: true })
  for (const zone of ['-', 'us-central1-c'])
    expect(parseLink(`https://compute.googleapis.com/compute/v1/projects/p/zones/${zone}/imageFamilyViews/f`, images)).toEqual({
      projectId: 'p',
      scope: 'global',
      collection: 'images',
      name: 'f',
      isFamily: true,
    })
  expect(() => parseLink('projects/p/global/imageFamilyViews/f', images)).toThrow('malformed')
  expect(parseLink('projects/p/zones/z', { projectId: 'me', scope: 'global', collection: 'zones' })).toMatchObject({ projectId: 'p', collection: 'zones', name: 'z' })
})

test('links to something else are refused', () => {
  for (const link of ['', 'projects/p/zones/z/instances/i', 'projects/p/zones/z/disks/d/extra', 'projects//zones/z/disks/d', 'disks/d\n'])
    expect(() => parseLink(link, defaults), link).toThrow('malformed')
})

test('objects in every form of their URL', () => {
  const forms = [
    'gs://b/dir/o.tar.gz',
    'https://storage.googleapis.com/b/dir/o.tar.gz',
    'https://storage.googleapis.com/storage/v1/b/b/o/dir/o.tar.gz',
    'https://storage.googleapis.com/storage/v1/b/b/o/dir%2Fo.tar.gz',
    'https://www.googleapis.com/storage/v1/b/b/o/dir%2Fo.tar.gz',
    'http://127.0.0.1:4000/storage.googleapis.com/b/dir/o.tar.gz',
    'https://b.storage.googleapis.com/dir/o.tar.gz',
  ]
  for (const form of forms) expect(parseObjectUrl(form), form).toEqual({ bucket: 'b', object: 'dir/o.tar.gz' })
  for (const form of ['http://evil.example.com/b/o', 'b/o', 'gs://b', '']) expect(parseObjectUrl(form), form).toBeUndefined()
})
