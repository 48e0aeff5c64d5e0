import assert from 'node:assert/strict'
import { applicationDefault, initializeApp } from 'firebase-admin/app'
import { getAuth } from 'firebase-admin/auth'
import { getFirestore } from 'firebase-admin/firestore'

const app = initializeApp({ credential: applicationDefault(), projectId: process.env.PROJECT, serviceAccountId: process.env.SERVER })
const auth = getAuth(app)
const token = process.env.OWNER_TOKEN

/** As a browser's library does it, with an API key. */
async function browser(method, body) {
  const { default: https } = await import('node:https')
  const { HttpsProxyAgent } = await import('https-proxy-agent').catch(() => ({}))
  const text = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const request = https.request(
      `https://identitytoolkit.googleapis.com/v1/accounts:${method}?key=${process.env.API_KEY}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        ...(HttpsProxyAgent === undefined ? {} : { agent: new HttpsProxyAgent(process.env.HTTPS_PROXY) }),
      },
      (response) => {
        let answer = ''
        response.on('data', (chunk) => (answer += chunk))
        response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(answer) }))
      },
    )
    request.once('error', reject)
    request.end(text)
  })
}

const ada = await auth.createUser({ email: 'ada@example.com', password: 'correct horse', displayName: 'Ada' })
assert.equal((await auth.getUserByEmail('ada@example.com')).uid, ada.uid)
await assert.rejects(auth.createUser({ email: 'ada@example.com', password: 'another one' }), { code: 'auth/email-already-exists' })
await assert.rejects(auth.getUser('nobody'), { code: 'auth/user-not-found' })
await auth.setCustomUserClaims(ada.uid, { role: 'teacher' })

const signedIn = await browser('signInWithPassword', { email: 'ada@example.com', password: 'correct horse', returnSecureToken: true })
assert.equal(signedIn.status, 200, JSON.stringify(signedIn.body))
const claims = await auth.verifyIdToken(signedIn.body.idToken)
assert.deepEqual([claims.uid, claims.email, claims.role, claims.aud], [ada.uid, 'ada@example.com', 'teacher', process.env.PROJECT])
const wrong = await browser('signInWithPassword', { email: 'ada@example.com', password: 'wrong', returnSecureToken: true })
assert.equal(wrong.status, 400)
assert.match(wrong.body.error.message, /INVALID_LOGIN_CREDENTIALS|INVALID_PASSWORD/)
await assert.rejects(auth.verifyIdToken(`${signedIn.body.idToken.slice(0, -8)}AAAAAAAA`), { code: 'auth/argument-error' })

const custom = await auth.createCustomToken('bob', { plan: 'free' })
const asBob = await browser('signInWithCustomToken', { token: custom, returnSecureToken: true })
assert.equal(asBob.status, 200, JSON.stringify(asBob.body))
const ofBob = await auth.verifyIdToken(asBob.body.idToken)
assert.deepEqual([ofBob.uid, ofBob.plan], ['bob', 'free'])

assert.deepEqual((await auth.listUsers(10)).users.map((user) => user.uid).toSorted(), [ada.uid, 'bob'].toSorted())
await auth.updateUser(ada.uid, { disabled: true })
await assert.rejects(auth.verifyIdToken(signedIn.body.idToken, true), { code: 'auth/user-disabled' })
await auth.deleteUser(ada.uid)
await assert.rejects(auth.getUser(ada.uid), { code: 'auth/user-not-found' })
assert.ok(token)

const db = getFirestore(app)
await db.doc('users/bob').set({ plan: 'free' })
assert.equal((await db.doc('users/bob').get()).get('plan'), 'free')
await db.terminate()
