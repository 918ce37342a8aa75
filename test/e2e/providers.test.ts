import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { serviceOf } from '../support/http-service.ts'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { startOpenidProvider } from '../support/openid-provider.ts'
import type { OpenidProvider } from '../support/openid-provider.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const skip = noChromium === false ? noRedis : noChromium

const base = 'https://gateway.velum.test'
const config = readFileSync(new URL('providers.yaml', import.meta.url), 'utf8')
const appPage = '<!doctype html><title>app</title><form method="post" action="/auth/logout"><button>Log out</button></form>'
const sessionName = '__Host-Http-velum'

interface World {
  /** Ports of the two nodes; the browser knows the first. */
  readonly nodes: readonly number[]
  readonly corp: OpenidProvider
  readonly partner: OpenidProvider
  readonly browser: Browser
}

/** Two gateways on one Redis, two providers, and a browser that finds the first gateway by its public name. */
async function openWorld(t: TestContext): Promise<World> {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const corp = await startOpenidProvider(t, '127.0.0.1', { groups: ['shop', 'others'], org: 'acme' })
  const partner = await startOpenidProvider(t, 'localhost', { groups: ['shop'], org: 'acme' })
  const env = {
    REDIS: redis.url,
    UPSTREAM: await upstreamOf(t),
    CORP: corp.issuer,
    CORP_SECRET: corp.clientSecret,
    PARTNER: partner.issuer,
    PARTNER_SECRET: partner.clientSecret,
  }
  const nodes = await Promise.all([1, 2].map(() => startNode(t, env)))
  for (const [name, provider] of [
    ['corp', corp],
    ['partner', partner],
  ] as const)
    provider.register({
      redirectUri: `${base}/auth/oidc/${name}/callback`,
      postLogoutRedirectUri: `${base}/auth/login`,
      backchannelLogoutUri: `${base}/auth/oidc/${name}/backchannel-logout`,
      port: nodes[0],
    })
  const browser = await launchChromium(t, { names: `MAP gateway.velum.test:443 127.0.0.1:${nodes[0]}` })
  return { nodes, corp, partner, browser }
}

async function startNode(t: TestContext, env: Record<string, string>): Promise<number> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  return Number(new URL((await readyListeners(velum))['web']).port)
}

function upstreamOf(t: TestContext): Promise<string> {
  return serviceOf(t, ({ url = '' }, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(url.startsWith('/app') ? appPage : '<!doctype html><title>orders</title>')
  })
}

/** What a node says to whoever has this cookie. */
function askNode(port: number, path: string, cookie: string): Promise<{ status: number; content: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'gateway.velum.test', cookie }
    const options = {
      host: '127.0.0.1',
      port,
      path,
      servername: 'gateway.velum.test',
      headers,
      rejectUnauthorized: false,
      agent: false,
    }
    request(options, (response) => {
      let content = ''
      response
        .setEncoding('utf8')
        .on('data', (text: string) => (content += text))
        .on('end', () => resolve({ status: response.statusCode!, content }))
    })
      .on('error', reject)
      .end()
  })
}

/** From a page that wants a login to the one that was wanted, by a provider where this browser is not known yet. */
async function logIn(context: BrowserContext, provider: string, name: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${base}/orders/1?a=b`)
  await page.getByRole('link', { name: `Log in with ${provider}` }).click()
  await page.getByPlaceholder('Enter any login').fill(name)
  await page.getByPlaceholder('and password').fill('whatever')
  await page.getByRole('button', { name: 'Sign-in' }).click()
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.waitForURL(`${base}/orders/1?a=b`)
  return page
}

async function sessionCookie(context: BrowserContext): Promise<string> {
  const found = (await context.cookies(base)).find(({ name }) => name === sessionName)
  assert.ok(found !== undefined)
  return `${found.name}=${found.value}`
}

describe('logins at two OpenID providers, in a real browser without scripts', { skip }, () => {
  it('work side by side, and end everywhere', { timeout: 180_000 }, async (t) => {
    const { nodes, corp, partner, browser } = await openWorld(t)
    const newContext = (): Promise<BrowserContext> => browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false })
    const [adas, bobs] = [await newContext(), await newContext()]
    const seen: string[] = []
    for (const context of [adas, bobs])
      context.on('response', (response) => {
        seen.push(response.url(), JSON.stringify(response.headers()))
      })
    let [ada, bob] = ['', '']

    await t.test('each leads back to where one was, with the tenant and roles of its configuration', async () => {
      const page = await logIn(adas, 'Corp', 'ada')
      assert.equal(await page.title(), 'orders')
      await logIn(bobs, 'Partner', 'ada')
      for (const { name, httpOnly, secure, sameSite, path, domain } of await adas.cookies(base))
        assert.deepEqual(
          { name, httpOnly, secure, sameSite, path, domain },
          { name, httpOnly: true, secure: true, sameSite: 'Lax', path: '/', domain: 'gateway.velum.test' },
        )
      ada = await sessionCookie(adas)
      bob = await sessionCookie(bobs)
      const [first, second] = await Promise.all([ada, bob].map(async (cookie) => who(nodes[1], cookie)))
      assert.deepEqual({ tenant: first.tenant, roles: first.roles }, { tenant: 'acme', roles: ['staff'] })
      assert.deepEqual({ tenant: second.tenant, roles: second.roles }, { tenant: 'partner', roles: ['guest'] })
      assert.notEqual(first.subject, second.subject, 'the same name at two providers is two people')
    })

    await t.test('no token of a provider has come near the browser', () => {
      assert.ok(seen.length > 20)
      for (const text of seen) assert.ok(!/eyJ[\w-]+\.[\w-]+|refresh_token|id_token|access_token/.test(text), text)
    })

    await t.test('a logout at one provider ends the session on both nodes, and the other one goes on', async () => {
      for (const node of nodes)
        for (const cookie of [ada, bob]) assert.equal((await askNode(node, '/orders/1', cookie)).status, 200)
      const page = await adas.newPage()
      await page.goto(`${corp.issuer}/session/end`)
      const begunAt = performance.now()
      await page.getByRole('button', { name: 'Yes, sign me out' }).click()
      const refusedAfter = await Promise.all(nodes.map((node) => refusedAt(node, ada, () => corp.loggedOut[0]?.at)))
      assert.deepEqual(corp.faults, [])
      assert.deepEqual(
        corp.loggedOut.map(({ account }) => account),
        ['ada'],
      )
      for (const at of refusedAfter) t.diagnostic(`refused ${Math.round(at - begunAt)} ms after the click`)
      for (const node of nodes) assert.equal((await askNode(node, '/orders/1', bob)).status, 200)
    })

    await t.test('logging in again asks at the provider, and works', async () => {
      await logIn(adas, 'Corp', 'ada')
      const again = await sessionCookie(adas)
      assert.notEqual(again, ada)
      for (const node of nodes) assert.equal((await askNode(node, '/orders/1', again)).status, 200)
      ada = again
    })

    await t.test('logging out here leads to the provider’s logout, and from there back to the login page', async () => {
      const page = await bobs.newPage()
      await page.goto(`${base}/app/`)
      await page.getByRole('button', { name: 'Log out' }).click()
      await page.getByRole('button', { name: 'Yes, sign me out' }).click()
      await page.waitForURL(`${base}/auth/login`)
      assert.ok(!(await bobs.cookies(base)).some(({ name }) => name === sessionName))
      for (const node of nodes) await refusedAt(node, bob, () => partner.loggedOut[0]?.at)
    })

    await t.test('providers that are gone log nobody out, and what one says of an error is not shown', async () => {
      await Promise.all([corp.stop(), partner.stop()])
      for (const node of nodes) assert.equal((await askNode(node, '/orders/1', ada)).status, 200)
      const page = await bobs.newPage()
      await page.goto(`${base}/auth/oidc/corp/callback?error=server_error&error_description=<b>boom</b>&state=nobody`)
      assert.match(await page.getByRole('alert').innerText(), /^The login at Corp was not completed. Please try again.$/)
      assert.ok(!(await page.content()).includes('boom'))
    })
  })
})

async function who(node: number, cookie: string): Promise<{ subject: string; tenant: string; roles: string[] }> {
  const { status, content } = await askNode(node, '/auth/session', cookie)
  assert.equal(status, 200)
  return JSON.parse(content) as { subject: string; tenant: string; roles: string[] }
}

/** Asks until nobody is known by this cookie, which must be so for who asks a second after `heardAt`; gives `performance.now()` of then. */
async function refusedAt(node: number, cookie: string, heardAt: () => number | undefined): Promise<number> {
  for (;;) {
    const askedAt = performance.now()
    const { status } = await askNode(node, '/orders/1', cookie)
    if (status === 401) return performance.now()
    assert.equal(status, 200)
    assert.ok(askedAt <= (heardAt() ?? Infinity) + 1000, 'the session lived on for more than a second')
    await sleep(5)
  }
}
