import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer } from '../../core/answer.ts'
import { contentOf } from '../../../test/support/identity-world.ts'
import { passkeyWorld } from '../../../test/support/passkey-world.ts'
import type { SoftBrowser } from '../../../test/support/passkey-world.ts'

const path = '/auth/account'
const html = ['Accept', 'text/html,*/*;q=0.8']
const textOf = (answer: Answer): string => answer.body.bytes?.toString() ?? ''
const page = (browser: SoftBrowser): Promise<Answer> => browser.send('GET', path, undefined, html)
/** Ids in the forms of a page, of what has a button that says so. */
const idsOf = (content: string, what: string): string[] =>
  [...content.matchAll(/name="id" value="([\w-]+)">(?:(?!<\/form>)[^])*?<button[^>]*value="([\w-]+)"/g)]
    .filter(([, , value]) => value === what)
    .map(([, id]) => id)

/** What is still logged in, by status. */
const live = async (...browsers: SoftBrowser[]): Promise<number[]> =>
  Promise.all(browsers.map(async (one) => (await one.send('GET', '/auth/session')).status))

test('nobody is led to the login page and back', async (t) => {
  const { browser } = await passkeyWorld(t)
  const answer = await page(browser())
  assert.equal(answer.status, 303)
  assert.equal(answer.headers.get('location'), '/auth/login?return_to=%2Fauth%2Faccount')
  const posted = await browser().post(path, { do: 'end-all' })
  assert.equal(posted.headers.get('location'), '/auth/login?return_to=%2Fauth%2Faccount')
})

test('the page lets in its own script and style alone, and nobody keeps it', async (t) => {
  const { browser } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('ada')
  const answer = await page(ada)
  assert.equal(answer.status, 200)
  assert.match(
    answer.headers.get('content-security-policy')!,
    /^default-src 'none'; script-src 'sha256-[^']+'; connect-src 'self'; style-src 'sha256-[^']+'; form-action 'self'; frame-ancestors 'none'/,
  )
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.match(textOf(answer), /this device/)
})

test('without passkeys in the configuration there is no script at all', async (t) => {
  const { browser } = await passkeyWorld(t, { passkeys: undefined })
  const ada = browser()
  await ada.enter('ada')
  const answer = await page(ada)
  assert.doesNotMatch(answer.headers.get('content-security-policy')!, /script-src/)
  assert.doesNotMatch(textOf(answer), /<script|Passkeys/)
})

test('one device, all others, and everything can be logged out', async (t) => {
  const { browser } = await passkeyWorld(t)
  const [here, phone, tablet, work] = [browser(), browser(), browser(), browser()]
  for (const one of [here, phone, tablet, work]) await one.enter('ada')
  const own = contentOf(await phone.send('GET', '/auth/session'))['session'] as string
  assert.equal(idsOf(textOf(await page(here)), 'end').length, 3)
  const ended = await here.post(path, { do: 'end', id: own })
  assert.equal(ended.headers.get('location'), '/auth/account?done=ended')
  assert.deepEqual(await live(here, phone, tablet, work), [200, 401, 200, 200])
  assert.equal((await here.post(path, { do: 'end', id: own })).status, 404)

  await here.post(path, { do: 'end-others' })
  assert.deepEqual(await live(here, tablet, work), [200, 401, 401])

  const over = await here.post(path, { do: 'end-all' })
  assert.equal(over.headers.get('location'), '/auth/login')
  assert.equal(here.cookies.has('__Host-Http-velum'), false)
})

test('nobody ends, renames or removes what belongs to somebody else', async (t) => {
  const { browser } = await passkeyWorld(t)
  const [ada, eve] = [browser(), browser()]
  await ada.enter('ada')
  await eve.enter('eve')
  await ada.register()
  const { passkeys } = contentOf(await ada.send('GET', '/auth/passkeys')) as { passkeys: { id: string; name: string }[] }
  const { session } = contentOf(await ada.send('GET', '/auth/session')) as { session: string }
  const [{ id }] = passkeys
  assert.equal((await eve.post(path, { do: 'end', id: session })).status, 404)
  assert.equal((await eve.post(path, { do: 'rename-passkey', id, name: 'x' })).status, 404)
  assert.equal((await eve.post(path, { do: 'remove-passkey', id })).status, 404)
  assert.deepEqual(contentOf(await ada.send('GET', '/auth/passkeys')), { passkeys })
})

test('passkeys are renamed and removed by forms, the last way in is kept, and names are no HTML', async (t) => {
  const { browser, world } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('ada')
  await ada.register({ name: '"><script>alert(1)</script>' })
  const content = textOf(await page(ada))
  assert.match(content, /&quot;&gt;&lt;script&gt;alert\(1\)/)
  assert.equal(content.match(/<script/g)?.length, 1)
  const [{ id }] = await world.stores.records.owned('passkey', 'ada', 5)
  const renamed = await ada.post(path, { do: 'rename-passkey', id, name: 'Phone' })
  assert.equal(renamed.headers.get('location'), '/auth/account?done=passkey-renamed')
  assert.match(textOf(await page(ada)), /Phone/)
  assert.equal((await ada.post(path, { do: 'rename-passkey', id, name: '  ' })).status, 422)
  const kept = await ada.post(path, { do: 'remove-passkey', id })
  assert.equal(kept.status, 403)
  assert.match(textOf(kept), /Add another one first/)
  await ada.register()
  assert.equal((await ada.post(path, { do: 'remove-passkey', id })).status, 303)
  assert.doesNotMatch(textOf(await page(ada)), /Phone/)
})

test('after ten minutes, passkeys can be changed only after another login', async (t) => {
  const { browser, world } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('ada')
  await ada.register()
  await ada.register()
  world.clock.advance(600_000)
  const content = textOf(await page(ada))
  assert.match(content, /Log in again to add or remove passkeys/)
  assert.doesNotMatch(content, /remove-passkey|data-passkey="/)
  const [{ id }] = await world.stores.records.owned('passkey', 'ada', 5)
  assert.equal((await ada.post(path, { do: 'remove-passkey', id })).status, 403)
})

test('who comes from a provider sees which, and has their passkeys there', async (t) => {
  const { browser, world } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('p-1')
  const value = { issuer: 'https://idp.example.com', subject: '1' }
  await world.stores.records.create({ kind: 'account', id: 'oidc:x', owner: 'p-1', value, schema: 1, expiresAt: Infinity })
  const content = textOf(await page(ada))
  assert.match(content, /Linked providers/)
  assert.match(content, /idp\.example\.com/)
  assert.doesNotMatch(content, /Add a passkey/)
})

test('words about what was done come from a list, not from the address', async (t) => {
  const { browser } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('ada')
  const said = async (done: string): Promise<string> =>
    textOf(await ada.send('GET', `${path}?done=${done}`, undefined, html)).match(/<p class="message done"[^>]*>(.*?)<\/p>/)?.[1] ??
    ''
  assert.match(await said('ended'), /logged out/)
  assert.equal(await said('%3Cb%3E'), '')
  assert.equal(await said('constructor'), '')
})

test('forms of other sites, and what is no form of ours, do nothing', async (t) => {
  const { browser, worker } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('ada')
  const cookie = [...ada.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const headers = ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://evil.org']
  assert.equal((await worker.ask({ path, cookie, headers, form: { do: 'end-all' } })).status, 403)
  assert.equal((await ada.post(path, { do: 'give-me-roles' })).status, 400)
  assert.equal((await ada.send('GET', '/auth/session')).status, 200)
})

test('a form logs out and goes on to a path of ours', async (t) => {
  const { browser } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('ada')
  const answer = await ada.post('/auth/logout', { return_to: '/auth/login' })
  assert.equal(answer.status, 303)
  assert.equal(answer.headers.get('location'), '/auth/login')
  assert.equal(ada.cookies.has('__Host-Http-velum'), false)
  await ada.enter('ada')
  assert.equal((await ada.post('/auth/logout', { return_to: 'https://evil.org/' })).status, 204)
})

test('while the store is down people get a page that says so, and stay logged in', async (t) => {
  const { browser, worker } = await passkeyWorld(t)
  const ada = browser()
  await ada.enter('ada')
  await page(ada)
  worker.stores.isDown = true
  const answer = await page(ada)
  assert.equal(answer.status, 503)
  assert.match(answer.headers.get('content-type')!, /html/)
  assert.equal(answer.headers.get('retry-after'), '1')
  worker.stores.isDown = false
  assert.equal((await page(ada)).status, 200)
})
