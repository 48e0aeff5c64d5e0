import assert from 'node:assert/strict'
import { FieldValue, Firestore, Timestamp } from '@google-cloud/firestore'

const db = new Firestore({ projectId: process.env.PROJECT })
const lessons = db.collection('lessons')

await lessons.doc('one').create({ title: 'One', level: 1, tags: ['a'], at: Timestamp.fromMillis(1_700_000_000_123), nested: { deep: [null, true, 1.5] } })
await assert.rejects(lessons.doc('one').create({ title: 'again' }), { code: 6 })
const one = await lessons.doc('one').get()
assert.deepEqual({ ...one.data(), at: one.get('at').toMillis() }, { title: 'One', level: 1, tags: ['a'], at: 1_700_000_000_123, nested: { deep: [null, true, 1.5] } })
await lessons.doc('one').set({ level: 2, nested: { more: 'x' } }, { merge: true })
await lessons.doc('one').update({ tags: FieldValue.arrayUnion('b'), views: FieldValue.increment(3), seen: FieldValue.serverTimestamp(), 'nested.deep': FieldValue.delete() })
const changed = (await lessons.doc('one').get()).data()
assert.deepEqual([changed.level, changed.tags, changed.views, changed.nested], [2, ['a', 'b'], 3, { more: 'x' }])
assert.ok(changed.seen.toMillis() > Date.now() - 600_000)
await assert.rejects(lessons.doc('none').update({ level: 1 }), { code: 5 })
await assert.rejects(lessons.doc('one').delete({ lastUpdateTime: one.updateTime }), { code: 9 })

const batch = db.batch()
for (let n = 2; n <= 6; n += 1) batch.set(lessons.doc(`n${n}`), { title: `N${n}`, level: n, tags: [n % 2 === 0 ? 'even' : 'odd'] })
await batch.commit()
const titles = async (query) => (await query.get()).docs.map((doc) => doc.get('title'))
assert.deepEqual(await titles(lessons.where('level', '>', 2).orderBy('level', 'desc').limit(2)), ['N6', 'N5'])
assert.deepEqual(await titles(lessons.orderBy('level').startAfter(4).endAt(6)), ['N5', 'N6'])
assert.deepEqual((await titles(lessons.where('tags', 'array-contains', 'odd'))).toSorted(), ['N3', 'N5'])
assert.deepEqual((await titles(lessons.where('level', 'in', [2, 5]))).toSorted(), ['N2', 'N5', 'One'])
assert.equal((await lessons.where('level', '>=', 3).count().get()).data().count, 4)
// Google names the index that is missing, and how it is made.
await assert.rejects(lessons.where('title', '==', 'N2').orderBy('level', 'desc').get(), (error) => error.code === 9 && /index/i.test(error.message))

await db.doc('lessons/one/notes/first').set({ text: 'below' })
assert.deepEqual(
  (await db.doc('lessons/one').listCollections()).map((each) => each.id),
  ['notes'],
)
assert.equal((await db.collectionGroup('notes').get()).docs[0].ref.path, 'lessons/one/notes/first')
assert.deepEqual(
  (await db.getAll(lessons.doc('n2'), lessons.doc('none'))).map((doc) => doc.exists),
  [true, false],
)

// Whoever loses tries again: no step is lost.
const counter = db.doc('counters/all')
await counter.set({ value: 0 })
await Promise.all(
  Array.from({ length: 5 }, async () =>
    db.runTransaction(
      async (transaction) => {
        const value = (await transaction.get(counter)).get('value')
        transaction.update(counter, { value: value + 1 })
      },
      { maxAttempts: 20 },
    ),
  ),
)
assert.equal((await counter.get()).get('value'), 5)
await assert.rejects(
  db.runTransaction(async (transaction) => {
    transaction.set(counter, { value: 99 })
    throw new Error('no')
  }),
  /no/,
)
assert.equal((await counter.get()).get('value'), 5)

const writer = db.bulkWriter()
for (let n = 0; n < 30; n += 1) void writer.set(db.doc(`bulk/${n}`), { n })
await writer.close()
assert.equal((await db.collection('bulk').count().get()).data().count, 30)
await db.recursiveDelete(db.collection('bulk'))
assert.equal((await db.collection('bulk').get()).size, 0)
await db.terminate()
