import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createVelumClient } from './browser.ts'
import type { VelumClient } from './browser.ts'

type Answering = (request: { path: string; body: string; bearer: string | null }) => Response | Promise<Response>

const origin = 'https://gateway.example.com'
const json = (status: number, value: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json', ...headers } })
const tokens = (text: string, seconds = 600): Response =>
  json(200, { access_token: text, token_type: 'Bearer', expires_in: seconds })

const changed = (client: VelumClient): Promise<string> => new Promise((resolve) => void client.onChange(resolve))

let pages = 0

/** A page of the gateway's origin, with a gateway that answers as `answer` says; every client has a path, so a channel, of its own test. */
function page(t: TestContext, answer: Answering): { asked: string[]; open: () => VelumClient } {
  const asked: string[] = []
  const path = `/auth${++pages}`
  t.mock.method(globalThis, 'fetch', async (input: string | Request, init?: RequestInit) => {
    const request = typeof input === 'string' ? new Request(new URL(input, origin), init) : input
    const place = new URL(request.url).pathname.replace(path, '/auth')
    asked.push(place)
    return answer({ path: place, body: await request.text(), bearer: request.headers.get('authorization') })
  })
  Object.assign(globalThis, { location: { origin } })
  t.after(() => Reflect.deleteProperty(globalThis, 'location'))
  return {
    asked,
    open() {
      const client = createVelumClient({ path })
      t.after(() => client.close())
      return client
    },
  }
}

test('a login asks for memory, keeps the token in memory, and sends it to the own origin only', async (t) => {
  const { asked, open } = page(t, ({ path, body, bearer }) => {
    if (path === '/auth/login') {
      assert.deepEqual(JSON.parse(body), { username: 'ada', password: 'secret', deliver: 'memory' })
      return tokens('one')
    }
    return json(200, { bearer })
  })
  const client = open()
  const states: string[] = []
  client.onChange((state) => states.push(state))
  assert.equal(client.state, 'unknown')
  await client.login('ada', 'secret')
  assert.equal(await client.accessToken(), 'one')
  assert.deepEqual(await (await client.fetch(`${origin}/orders`)).json(), { bearer: 'Bearer one' })
  assert.deepEqual(await (await client.fetch('https://elsewhere.example/orders')).json(), { bearer: null })
  assert.deepEqual(asked, ['/auth/login', '/orders', '/orders'])
  assert.deepEqual(states, ['in'])
})

test('a wrong password and a lock are told apart, with the time to wait', async (t) => {
  let status = 401
  const { open } = page(t, () => json(status, { title: 'no', detail: 'Not now.' }, status === 429 ? { 'retry-after': '8' } : {}))
  const client = open()
  await assert.rejects(client.login('ada', 'x'), {
    name: 'VelumClientError',
    status: 401,
    message: 'Not now.',
    retryAfterSeconds: undefined,
  })
  status = 429
  await assert.rejects(client.login('ada', 'x'), { status: 429, retryAfterSeconds: 8 })
})

test('many who ask at once cause one refresh', async (t) => {
  const { asked, open } = page(t, () => tokens('one'))
  const client = open()
  const given = await Promise.all(Array.from({ length: 20 }, () => client.accessToken()))
  assert.deepEqual(new Set(given), new Set(['one']))
  assert.deepEqual(asked, ['/auth/refresh'])
})

test('nobody is logged in: it is asked once, and what follows goes without a token', async (t) => {
  const { asked, open } = page(t, ({ path, bearer }) => (path === '/auth/refresh' ? json(401, {}) : json(200, { bearer })))
  const client = open()
  assert.equal(await client.accessToken(), undefined)
  assert.equal(await client.accessToken(), undefined)
  assert.equal(client.state, 'out')
  assert.deepEqual(await (await client.fetch(`${origin}/catalog`)).json(), { bearer: null })
  assert.deepEqual(asked, ['/auth/refresh', '/catalog'])
})

test('a 401 is answered by one refresh and one more try, with the same content', async (t) => {
  let token = 0
  const { asked, open } = page(t, ({ path, bearer, body }) => {
    if (path === '/auth/refresh') return tokens(`token-${++token}`)
    return bearer === 'Bearer token-2' ? json(200, { body }) : json(401, {})
  })
  const client = open()
  const response = await client.fetch(`${origin}/orders`, { method: 'POST', body: 'an order' })
  assert.deepEqual(await response.json(), { body: 'an order' })
  assert.deepEqual(asked, ['/auth/refresh', '/orders', '/auth/refresh', '/orders'])
})

test('what stays 401 is given to the caller, not asked for ever', async (t) => {
  let token = 0
  const { asked, open } = page(t, ({ path }) => (path === '/auth/refresh' ? tokens(`token-${++token}`) : json(401, {})))
  const client = open()
  assert.equal((await client.fetch(`${origin}/orders`)).status, 401)
  assert.deepEqual(asked, ['/auth/refresh', '/orders', '/auth/refresh', '/orders'])
})

test('a gateway that fails is no logout, and is asked again', async (t) => {
  let status = 503
  const { open } = page(t, () => (status === 503 ? json(503, {}, { 'retry-after': '1' }) : tokens('one')))
  const client = open()
  await assert.rejects(client.accessToken(), { status: 503 })
  assert.equal(client.state, 'unknown')
  status = 200
  assert.equal(await client.accessToken(), 'one')
})

test('tabs share login, token and logout', async (t) => {
  const { asked, open } = page(t, ({ path }) => (path === '/auth/logout' ? new Response(null, { status: 204 }) : tokens('one')))
  const [one, other] = [open(), open()]
  const heard = changed(other)
  await one.login('ada', 'secret')
  assert.equal(await heard, 'in')
  assert.equal(await other.accessToken(), 'one')
  const left = changed(one)
  await other.logout()
  assert.equal(await left, 'out')
  assert.equal(await one.accessToken(), undefined)
  assert.deepEqual(asked, ['/auth/login', '/auth/logout'])
})

test('two tabs that need a token at once cause one refresh', async (t) => {
  const { asked, open } = page(t, async () => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return tokens('one')
  })
  const [one, other] = [open(), open()]
  assert.deepEqual(await Promise.all([one.accessToken(), other.accessToken()]), ['one', 'one'])
  assert.deepEqual(asked, ['/auth/refresh'])
})

test('a refresh that a logout overtakes brings nobody back', async (t) => {
  let release: ((response: Response) => void) | undefined
  const { open } = page(t, ({ path }) => {
    if (path === '/auth/logout') return new Response(null, { status: 204 })
    return new Promise<Response>((resolve) => (release = resolve))
  })
  const client = open()
  const token = client.accessToken()
  await new Promise((resolve) => setTimeout(resolve, 10))
  await client.logout()
  release!(tokens('late'))
  assert.equal(await token, undefined)
  assert.equal(client.state, 'out')
})

test('it refreshes by itself before the token ends', async (t) => {
  let count = 0
  const { asked, open } = page(t, () => tokens(`token-${++count}`, 1))
  const client = open()
  assert.equal(await client.accessToken(), 'token-1')
  await new Promise<void>((resolve) => {
    const look = (): void => void (asked.length > 1 ? resolve() : setTimeout(look, 20))
    look()
  })
  client.close()
})
