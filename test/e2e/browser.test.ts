import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { serviceOf } from '../support/http-service.ts'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('browser.yaml', import.meta.url), 'utf8')
const clientModule = stripTypeScriptTypes(readFileSync(new URL('../../src/browser.ts', import.meta.url), 'utf8'))
const appPage = `<!doctype html><title>app</title><script type="module">
import { createVelumClient } from '/app/client.js'
window.client = createVelumClient()
</script>`

interface World {
  readonly base: string
  readonly sibling: string
  readonly stranger: string
  readonly browser: Browser
  /** Method and path of what reached the service below /orders. */
  readonly served: string[]
  audit(): Promise<string[]>
}

/** A gateway for gateway.velum.test with a person, and a browser that finds it, its sibling host and a stranger. */
async function openWorld(t: TestContext): Promise<World> {
  const served: string[] = []
  const upstream = await serviceOf(t, (incoming, response) => {
    const { method, url = '' } = incoming
    if (url.startsWith('/orders')) served.push(`${method} ${url}`)
    const isModule = url === '/app/client.js'
    response.setHeader('content-type', isModule ? 'text/javascript' : 'text/html')
    response.end(isModule ? clientModule : url.startsWith('/app') ? appPage : '<!doctype html><title>orders</title>')
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const options = { folder: folder.path, env: { UPSTREAM: upstream } }
  const added = await runCommand(['user', 'add', 'ada', '--password-stdin', '--roles', 'staff'], {
    ...options,
    input: 'correct horse battery',
  })
  assert.equal(added.code, 0, added.err)
  const velum = startVelum(t, ['run', '--workers', '2'], options)
  const { port } = new URL((await readyListeners(velum))['web'])
  const browser = await launchChromium(t, { names: 'MAP *.velum.test 127.0.0.1, MAP evil.example 127.0.0.1' })
  const { admin } = JSON.parse(readFileSync(join(folder.path, '.velum', 'gateway.lock'), 'utf8')) as { admin: string }
  const token = readFileSync(join(folder.path, '.velum', 'admin.token'), 'utf8').trim()
  return {
    base: `https://gateway.velum.test:${port}`,
    sibling: `https://blog.velum.test:${port}`,
    stranger: `https://evil.example:${port}`,
    browser,
    served,
    async audit() {
      const got = await fetch(new URL('/api/audit', admin), { headers: { authorization: `Bearer ${token}` } })
      return ((await got.json()) as { entries: { event: string }[] }).entries.map(({ event }) => event)
    },
  }
}

/** Logs in by the page, without any script. */
async function logIn(context: BrowserContext, base: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${base}/orders/1?a=b`)
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill('correct horse battery')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.waitForURL(`${base}/orders/1?a=b`)
  return page
}

/** A page of the app in which the client is ready. */
async function openApp(context: BrowserContext, base: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${base}/app/`)
  await page.waitForFunction('window.client !== undefined')
  return page
}

const sessionName = '__Host-Http-velum'

describe('login in a real browser', { skip: noChromium }, () => {
  it('works, and holds', { timeout: 120_000 }, async (t) => {
    const world = await openWorld(t)
    const { base, sibling, stranger, browser, served } = world

    await t.test('without JavaScript: the page, the way back, and the flags of the cookies', async () => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false })
      const page = await logIn(context, base)
      assert.equal(await page.title(), 'orders')
      const cookies = await context.cookies(base)
      assert.deepEqual(cookies.map(({ name }) => name).sort(), [sessionName, `${sessionName}-device`])
      for (const { httpOnly, secure, sameSite, path, domain } of cookies)
        assert.deepEqual(
          { httpOnly, secure, sameSite, path, domain },
          { httpOnly: true, secure: true, sameSite: 'Lax', path: '/', domain: 'gateway.velum.test' },
        )
      await context.close()
    })

    await t.test('a wrong password says so, keeps the name, and the policy of the page reports nothing', async () => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true })
      const page = await context.newPage()
      const said: string[] = []
      page.on('console', (message) => {
        // The browser logs the 401 of the form itself.
        if (!message.text().includes('401')) said.push(message.text())
      })
      page.on('pageerror', (error) => said.push(error.message))
      await page.goto(`${base}/auth/login`)
      await page.getByLabel('User name').fill('ada')
      await page.getByLabel('Password').fill('not her password')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').waitFor()
      assert.match(await page.getByRole('alert').innerText(), /user name or the password is wrong/)
      assert.equal(await page.getByLabel('User name').inputValue(), 'ada')
      assert.equal(await page.getByLabel('Password').inputValue(), '')
      assert.deepEqual(said, [])
      await context.close()
    })

    await t.test('a sibling host cannot plant a session, nor take one away', async () => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true })
      await logIn(context, base)
      const page = await context.newPage()
      await page.goto(`${sibling}/app/`)
      await page.evaluate(`
        document.cookie = '${sessionName}=planted; Domain=velum.test; Path=/; Secure'
        document.cookie = '${sessionName}=planted; Domain=velum.test; Path=/orders; Secure'
        document.cookie = '${sessionName}=; Domain=velum.test; Path=/; Secure; Max-Age=0'
        document.cookie = 'velum=planted; Domain=velum.test; Path=/; Secure'
      `)
      const seen = (await context.cookies(`${base}/orders/1`)).map(({ name, value }) => `${name}=${value}`)
      assert.ok(seen.includes('velum=planted'), 'the sibling can set cookies at all')
      assert.ok(!seen.some((pair) => pair.startsWith(`${sessionName}=planted`)))
      await page.goto(`${base}/orders/2`)
      assert.equal(await page.title(), 'orders')
      await context.close()
    })

    await t.test('pages of other origins cannot act: another site has no cookie, a sibling is refused', async () => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true })
      await logIn(context, base)
      served.length = 0
      const post = async (from: string, action: string): Promise<number> => {
        // A page of its own each time, left open: one that closes while it navigates may never say that it did.
        const page = await context.newPage()
        await page.goto(`${from}/app/`)
        const [response] = await Promise.all([
          page.waitForResponse((answer) => answer.url() === action && answer.request().method() === 'POST'),
          page.evaluate(`
            const form = document.body.appendChild(document.createElement('form'))
            form.method = 'post'
            form.action = ${JSON.stringify(action)}
            // Later, so that this evaluation ends before its page does.
            setTimeout(() => form.submit())
            undefined
          `),
        ])
        return response.status()
      }
      assert.equal(await post(stranger, `${base}/orders/pay`), 401)
      assert.equal(await post(sibling, `${base}/orders/pay`), 403)
      for (const from of [stranger, sibling]) {
        assert.equal(await post(from, `${base}/auth/login`), 403, 'nobody is logged in as somebody else')
        assert.equal(await post(from, `${base}/auth/logout`), 403)
        assert.equal(await post(from, `${base}/auth/refresh`), 403)
      }
      assert.deepEqual(served, [])
      assert.equal(await post(base, `${base}/orders/pay`), 200)
      assert.deepEqual(served, ['POST /orders/pay'])
    })

    for (const hasLocks of [true, false]) {
      await t.test(
        `two tabs refreshing at once are one login, with${hasLocks ? '' : 'out'} locks; a logout ends both`,
        async () => {
          const context = await browser.newContext({ ignoreHTTPSErrors: true })
          if (!hasLocks) await context.addInitScript("Object.defineProperty(navigator, 'locks', { value: undefined })")
          const first = await openApp(context, base)
          await first.evaluate("client.login('ada', 'correct horse battery')")
          await first.close()
          const refresh = (await context.cookies(base)).find(({ name }) => name === `${sessionName}-refresh`)
          assert.equal(refresh?.sameSite, 'Strict')
          assert.equal(refresh.httpOnly, true)
          const tabs = [await openApp(context, base), await openApp(context, base)]
          let refreshes = 0
          context.on('request', (request) => {
            if (request.url() === `${base}/auth/refresh`) refreshes++
          })
          const given = await Promise.all(tabs.map((tab) => tab.evaluate('client.accessToken()')))
          for (const token of given) assert.match(token as string, /^[\w-]+\.[\w-]+\.[\w-]+$/)
          assert.ok(refreshes >= 1 && refreshes <= (hasLocks ? 1 : 2), `${refreshes} refreshes`)
          assert.deepEqual(
            await tabs[0].evaluate('document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)'),
            '{}{}',
            'nothing lies where scripts find it',
          )
          for (const tab of tabs) assert.equal(await tab.evaluate("client.fetch('/orders/3').then(({ status }) => status)"), 200)
          await tabs[0].evaluate('client.logout()')
          await tabs[1].waitForFunction("client.state === 'out'")
          const dead = JSON.stringify(`Bearer ${String(given[1])}`)
          assert.equal(
            await tabs[1].evaluate(`fetch('/orders/3', { headers: { authorization: ${dead} } }).then(({ status }) => status)`),
            401,
          )
          assert.ok(!(await world.audit()).includes('refresh-reused'))
          await context.close()
        },
      )
    }
  })
})
