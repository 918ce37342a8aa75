import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { openDashboardWorld } from '../support/dashboard-world.ts'
import type { DashboardWorld } from '../support/dashboard-world.ts'

const config = readFileSync(new URL('dashboard.yaml', import.meta.url), 'utf8')
const images = fileURLToPath(new URL('../../docs/images/', import.meta.url))
const takesScreenshots = process.env['VELUM_SCREENSHOTS'] === '1'

interface Scene {
  readonly world: DashboardWorld
  readonly browser: Browser
  /** What browsers complained about. */
  readonly complaints: string[]
}

async function openScene(t: TestContext): Promise<Scene> {
  const world = await openDashboardWorld(t, config)
  const browser = await launchChromium(t, {
    names: 'MAP *.velum.test 127.0.0.1, MAP evil.example 127.0.0.1',
    takesAnyCertificate: false,
  })
  return { world, browser, complaints: [] }
}

/** A page that was opened by the link of `npm start`. */
async function signInByLink({ world, complaints }: Scene, context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(world.admin)) complaints.push(`asked for ${request.url()}`)
  })
  await page.goto(`${world.admin}/#token=${world.token}`)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  return page
}

/** Ada logs in at the gateway, in a browser of her own. */
async function logIn({ world, browser }: Scene): Promise<void> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  await page.goto(`${world.secure}/auth/login`)
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill('correct horse battery')
  await Promise.all([
    page.waitForResponse((response) => response.request().method() === 'POST' && response.status() < 400),
    page.getByRole('button', { name: 'Log in' }).click(),
  ])
  await context.close()
}

async function show(page: Page, view: string): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name: view, exact: true }).click()
  await page.getByRole('heading', { name: view, level: 1 }).waitFor()
}

const views = [
  'Overview',
  'Requests',
  'Explain',
  'Routes',
  'Services',
  'Limits',
  'Penalty box',
  'Sessions',
  'Cache',
  'Configuration',
]

describe('the dashboard in a real browser', { skip: noChromium }, () => {
  it('shows, acts, and lets nobody else in', { timeout: 180_000 }, async (t) => {
    const scene = await openScene(t)
    const { world, browser, complaints } = scene
    const stop = world.load()
    t.after(stop)

    await t.test('the link signs in, the token leaves the address bar, and no script can read what is kept', async () => {
      const context = await browser.newContext()
      const page = await signInByLink(scene, context)
      assert.equal(page.url(), `${world.admin}/`)
      assert.equal(await page.evaluate('document.cookie'), '')
      const [cookie] = await context.cookies(`${world.admin}/api/`)
      assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Strict', '/api'])
      const kept = String(await page.evaluate('JSON.stringify(localStorage) + JSON.stringify(sessionStorage)'))
      assert.ok(!kept.includes(world.token) && !kept.includes(cookie.value))
      await page.reload()
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('Admin token').waitFor()
      assert.deepEqual(await context.cookies(`${world.admin}/api/`), [])
      await page.getByLabel('Admin token').fill('not the token at all')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').waitFor()
      await page.getByLabel('Admin token').fill(world.token)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await context.close()
      // The browser logs the 401 of the wrong token itself.
      assert.deepEqual(
        complaints.splice(0).filter((text) => !text.includes('401')),
        [],
      )
    })

    await t.test('every view has something to show, and its policy has nothing to report', async () => {
      const context = await browser.newContext()
      const page = await signInByLink(scene, context)
      // By locators: the page's own policy forbids the eval that waitForFunction needs.
      await page.locator('.step').nth(8).waitFor()
      await page
        .locator('.step-rate')
        .nth(2)
        .filter({ hasText: /^[1-9]/ })
        .waitFor()
      await page.getByRole('button', { name: /^Limits/ }).click()
      const has = async (view: string, text: string | RegExp): Promise<void> => {
        await show(page, view)
        await page.getByRole('main').getByText(text).first().waitFor()
      }
      await has('Requests', 'no-credential')
      await has('Routes', '/catalog/**')
      await has('Services', 'in service')
      await page
        .getByText(/answers begin after [\d.]+ m?s \(half\)/)
        .first()
        .waitFor()
      await has('Limits', 'Busiest keys of perAddress')
      await page.getByText('198.51.100.4').first().waitFor()
      await has('Penalty box', 'banned')
      await has('Sessions', 'Audit log')
      await has('Cache', 'catalog')
      await has('Configuration', 'Listeners')
      await page.getByRole('region', { name: 'Certificates' }).getByText('listeners.secure').waitFor()
      assert.equal(await page.getByText('gateway shop').count(), 1, 'whose gateway it is stands in every view')
      await context.close()
      // The browser logs that there is no change of the configuration yet itself.
      assert.deepEqual(
        complaints.splice(0).filter((text) => !text.includes('404')),
        [],
      )
    })

    await t.test('actions ask first, then act', async () => {
      const context = await browser.newContext()
      const page = await signInByLink(scene, context)
      const dialog = page.getByRole('dialog')
      await show(page, 'Services')
      await page.getByRole('region', { name: 'Targets of orders' }).getByRole('button', { name: 'Drain' }).first().click()
      await dialog.getByRole('button', { name: 'Cancel' }).click()
      assert.equal(await dialog.isVisible(), false)
      assert.equal(await page.getByText('draining').count(), 0)
      await page.getByRole('region', { name: 'Targets of orders' }).getByRole('button', { name: 'Drain' }).first().click()
      await dialog.getByRole('button', { name: 'Drain' }).click()
      await page.getByText('draining', { exact: true }).waitFor()
      await page.getByRole('button', { name: 'Take back' }).click()
      await dialog.getByRole('button', { name: 'Take back' }).click()
      await page.getByRole('status').getByText('in service again').waitFor()

      await show(page, 'Penalty box')
      const boxed = page.getByRole('row', { name: /192\.0\.2\.66/ })
      await page.getByRole('button', { name: 'Box…' }).last().click()
      await dialog.getByLabel('address').fill('no address')
      await dialog.getByRole('button', { name: 'Box' }).click()
      await dialog.getByRole('alert').waitFor()
      await dialog.getByLabel('address').fill('192.0.2.66')
      await dialog.getByLabel('Reason').fill('scraping')
      await dialog.getByRole('button', { name: 'Box' }).click()
      await boxed.waitFor()
      assert.equal(await world.send({ path: '/catalog/1', address: '192.0.2.66' }), 429)
      await page
        .getByRole('row', { name: /192\.0\.2\.66/ })
        .getByRole('button', { name: 'Lift' })
        .click()
      await dialog.getByRole('button', { name: 'Lift' }).click()
      await boxed.waitFor({ state: 'detached' })

      await show(page, 'Limits')
      const perAddress = page.getByRole('region', { name: 'Limits' }).getByRole('row', { name: /^perAddress/ })
      const flood = async (): Promise<number[]> => {
        const sent = Array.from({ length: 30 }, () => world.send({ path: '/orders/1', address: '192.0.2.77' }))
        return [...new Set(await Promise.all(sent))].toSorted((a, b) => a - b)
      }
      await perAddress.getByRole('button', { name: 'Turn on' }).click()
      await dialog.getByRole('button', { name: 'Switch' }).click()
      await perAddress.getByText('by hand: on').waitFor()
      // Both workers serve it: nobody is refused any more.
      assert.deepEqual(await flood(), [200])
      await page.getByLabel('address', { exact: true }).fill('192.0.2.77')
      await page.getByRole('button', { name: 'Look' }).click()
      await page.getByText(/left, whole in \d+ s, says this node's table/).waitFor()
      await perAddress.getByRole('button', { name: 'Switch back' }).click()
      await dialog.getByRole('button', { name: 'Switch back' }).click()
      await perAddress.getByText('by hand: on').waitFor({ state: 'detached' })
      assert.deepEqual(await flood(), [200, 429])

      await show(page, 'Cache')
      await page.getByLabel('Purge by').selectOption('tag')
      await page.getByLabel('What to purge').fill('shelf')
      await page.keyboard.press('Enter')
      await dialog.getByRole('button', { name: 'Purge' }).click()
      await page.getByRole('status').getByText('Purged.').waitFor()

      await logIn(scene)
      await show(page, 'Sessions')
      const sessions = page.getByRole('region', { name: 'Sessions' }).getByText('ada')
      await sessions.waitFor()
      await page.getByRole('button', { name: 'Revoke…' }).click()
      await dialog.getByRole('textbox', { name: 'Subject' }).fill('ada')
      await dialog.getByRole('button', { name: 'Revoke' }).click()
      await page.getByRole('status').getByText('Revoked').waitFor()
      await sessions.waitFor({ state: 'detached' })

      await show(page, 'Configuration')
      world.folder.write('velum.config.yaml', config.replace('max: 1kb', 'max: 2kb'))
      await page.getByRole('button', { name: 'Reload…' }).click()
      await dialog.getByRole('button', { name: 'Reload' }).click()
      await page.getByText(/1024 → 2048/).waitFor()
      world.folder.write('velum.config.yaml', config.replace('to: dead', 'to: nobody'))
      await page.getByRole('button', { name: 'Reload…' }).click()
      await dialog.getByRole('button', { name: 'Reload' }).click()
      await page.getByRole('alert').getByText('was not taken over').waitFor()
      await page
        .getByText(/nobody/)
        .first()
        .waitFor()
      await context.close()
      // The browser logs the refused penalty and the refused configuration itself.
      assert.deepEqual(
        complaints.splice(0).filter((text) => !text.includes('422') && !text.includes('404')),
        [],
      )
    })

    await t.test('keys alone are enough', async () => {
      const context = await browser.newContext()
      const page = await signInByLink(scene, context)
      await page.locator('.step').first().waitFor()
      await page.keyboard.press('Tab')
      assert.equal(await page.evaluate('document.activeElement.textContent.trim()'), 'Skip to the content')
      await page.keyboard.press('Enter')
      assert.equal(await page.evaluate('document.activeElement.id'), 'main')
      await page.keyboard.press('Tab')
      assert.equal(await page.evaluate("document.activeElement.classList.contains('step')"), true)
      await page.keyboard.press('Enter')
      assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-expanded')"), 'true')
      await context.close()
    })

    await t.test('a page of another origin can do nothing, nor can what gets the cookie', async () => {
      const context = await browser.newContext()
      await signInByLink(scene, context)
      const session = (await context.cookies(`${world.admin}/api/`))[0]
      const other = await startPage(t)
      const { port } = new URL(world.admin)
      // Another port of the same host is the same site, and cookies know no ports; another name is another site.
      for (const origin of [`http://127.0.0.1:${other.port}`, `http://evil.example:${other.port}`]) {
        const page = await context.newPage()
        await page.goto(origin)
        const tried = (await page.evaluate(attack(world.admin))) as string[]
        assert.deepEqual(tried, ['blocked', 'blocked', 'blocked', 'sent unread', 'sent unread'], origin)
        const [answer] = await Promise.all([
          page.waitForResponse((response) => response.url() === `${world.admin}/api/reload`),
          page.evaluate(`
            const form = document.body.appendChild(document.createElement('form'))
            form.method = 'post'
            form.action = '${world.admin}/api/reload'
            setTimeout(() => form.submit())
            undefined
          `),
        ])
        assert.equal(answer.status(), 401)
        // Pages are left open: one that closes while it navigates may never say that it did.
        const framing = await context.newPage()
        await framing.goto(origin)
        await Promise.all([
          framing.waitForEvent('framenavigated', { predicate: (frame) => frame.url() !== 'about:blank', timeout: 20_000 }),
          framing.evaluate(`document.body.appendChild(document.createElement('iframe')).src = '${world.admin}/'`),
        ])
        assert.match(framing.frames()[1].url(), /^chrome-error:/, 'it cannot be framed')
      }
      const rebound = await context.newPage()
      assert.equal((await rebound.goto(`http://evil.example:${port}/`))?.status(), 421)
      // A service at another port of this host has been sent the cookie: it is of no use to it.
      assert.ok(other.cookies.some((line) => line.includes(session.value)))
      const stolen = { cookie: `velum-admin=${session.value}`, 'sec-fetch-site': 'same-origin', origin: world.admin }
      for (const proof of [undefined, 'a'.repeat(43)]) {
        const headers = { ...stolen, ...(proof === undefined ? {} : { 'x-velum-proof': proof }) }
        for (const [method, path] of [
          ['GET', '/api/config'],
          ['POST', '/api/reload'],
        ])
          assert.equal((await fetch(`${world.admin}${path}`, { method, headers })).status, 401)
      }
      complaints.length = 0
    })

    if (takesScreenshots) await t.test('screenshots', () => takeScreenshots(scene))
    await stop()
  })
})

/** What a page of another origin tries with the admin API: what it can read, and what it can send unread. */
function attack(admin: string): string {
  const json = "{ 'content-type': 'application/json' }"
  return `Promise.all([
    fetch('${admin}/api/config', { credentials: 'include' }).then(({ status }) => 'read ' + status, () => 'blocked'),
    fetch('${admin}/api/reload', { method: 'POST', credentials: 'include', headers: { 'x-velum-proof': 'x' } })
      .then(({ status }) => 'done ' + status, () => 'blocked'),
    fetch('${admin}/api/dashboard/session', { method: 'POST', credentials: 'include', headers: ${json}, body: '{"token":"x"}' })
      .then(({ status }) => 'done ' + status, () => 'blocked'),
    fetch('${admin}/api/reload', { method: 'POST', mode: 'no-cors', credentials: 'include' })
      .then(({ type }) => (type === 'opaque' ? 'sent unread' : 'read'), () => 'blocked'),
    fetch('${admin}/api/cache/purge', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"tag":"shelf"}' })
      .then(({ type }) => (type === 'opaque' ? 'sent unread' : 'read'), () => 'blocked'),
  ])`
}

/** A server of somebody else's that keeps the cookies it is sent. */
async function startPage(t: TestContext): Promise<{ readonly port: number; readonly cookies: string[] }> {
  const cookies: string[] = []
  const server = createServer((incoming, response) => {
    if (incoming.headers.cookie !== undefined) cookies.push(incoming.headers.cookie)
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>other</title><img src="/api/pixel">')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, cookies }
}

/** Writes docs/images/dashboard-*.png: every view in light and dark, and the overview as a phone shows it. */
async function takeScreenshots(scene: Scene): Promise<void> {
  mkdirSync(images, { recursive: true })
  await logIn(scene)
  scene.world.folder.write('velum.config.yaml', config.replace('max: 1kb', 'max: 2kb'))
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await scene.browser.newContext({ colorScheme, viewport: { width: 1360, height: 860 } })
    const page = await signInByLink(scene, context)
    await page.waitForTimeout(colorScheme === 'light' ? 30_000 : 8000)
    for (const view of views) {
      await show(page, view)
      if (view === 'Requests') await page.locator('tbody button.open').nth(3).click()
      if (view === 'Explain') {
        await page.getByLabel('Path or URL').fill('/account')
        await page.getByRole('button', { name: 'Explain' }).click()
      }
      if (view === 'Overview') await page.getByRole('button', { name: /^Limits/ }).click()
      await page.waitForTimeout(2500)
      await page.screenshot({ path: `${images}dashboard-${view.toLowerCase().replace(' ', '-')}-${colorScheme}.png` })
    }
    await page.setViewportSize({ width: 390, height: 844 })
    await show(page, 'Overview')
    await page.waitForTimeout(2500)
    await page.screenshot({ path: `${images}dashboard-phone-${colorScheme}.png` })
    await context.close()
  }
}
