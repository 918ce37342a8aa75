import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { before, describe, it } from 'node:test'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { serviceOf } from '../support/http-service.ts'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { suiteCleanup } from '../support/suite-cleanup.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'
import type { Cleanup } from '../support/velum-process.ts'

const base = 'https://gateway.velum.test'
const account = `${base}/auth/account`
const password = 'correct horse battery'
const config = readFileSync(new URL('account.yaml', import.meta.url), 'utf8')
/** Pictures for the documentation are taken when somebody asks for them. */
const images =
  process.env['VELUM_SCREENSHOTS'] === undefined ? undefined : fileURLToPath(new URL('../../docs/images/', import.meta.url))
const timeoutMs = 60_000

const phone = {
  userAgent:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1',
  viewport: { width: 390, height: 760 },
} as const
const desktop = {
  userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0',
} as const

/** A gateway with a person, and a browser that finds it by its public name. */
async function openWorld(t: Cleanup): Promise<Browser> {
  const upstream = await serviceOf(t, (_incoming, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>orders</title>')
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const options = { folder: folder.path, env: { UPSTREAM: upstream } }
  const added = await runCommand(['user', 'add', 'ada', '--password-stdin', '--roles', 'staff'], { ...options, input: password })
  assert.equal(added.code, 0, added.err)
  const velum = startVelum(t, ['run', '--workers', '2'], options)
  const { port } = new URL((await readyListeners(velum))['web'])
  const browser = await launchChromium(t, { names: `MAP gateway.velum.test:443 127.0.0.1:${port}`, timeoutMs })
  return browser
}

async function newContext(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options })
  context.setDefaultTimeout(timeoutMs)
  return context
}

/** Puts an authenticator into a page's browser that verifies its person and keeps discoverable credentials. */
async function plugIn(page: Page): Promise<{ readonly cdp: CDPSession; readonly authenticatorId: string }> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return { cdp, authenticatorId }
}

async function logInByPassword(page: Page): Promise<void> {
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
}

/** What the page tells of violations of its policy. */
function watch(page: Page): string[] {
  const said: string[] = []
  page.on('console', (message) => said.push(message.text()))
  page.on('pageerror', (error) => said.push(String(error)))
  return said
}

async function picture(page: Page, name: string, colors: readonly ('light' | 'dark')[] = ['light', 'dark']): Promise<void> {
  if (images === undefined) return
  mkdirSync(images, { recursive: true })
  for (const colorScheme of colors) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: `${images}${name}-${colorScheme}.png`, fullPage: true })
  }
}

/** The account page of somebody who is logged in on several devices, wide and narrow. */
async function portrait(browser: Browser, page: Page): Promise<void> {
  for (const device of [desktop, phone]) {
    const other = await (await newContext(browser, device)).newPage()
    await other.goto(account)
    await logInByPassword(other)
    await other.waitForURL(account)
    if (device === phone) await picture(other, 'account-phone', ['dark'])
  }
  await page.goto(account)
  await picture(page, 'account')
}

describe('accounts, in a real browser', { skip: noChromium }, () => {
  const cleanup = suiteCleanup()
  let browser: Browser
  before(async () => {
    browser = await openWorld(cleanup)
  })

  it('a passkey is added, logs in without a name, and is removed', { timeout: 240_000 }, async () => {
    const context = await newContext(browser, { viewport: { width: 800, height: 640 } })
    const page = await context.newPage()
    const said = watch(page)
    const { cdp, authenticatorId } = await plugIn(page)

    await page.goto(account)
    await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor()
    await picture(page, 'login')
    await logInByPassword(page)
    await page.waitForURL(account)
    await page.getByLabel('Name of the new passkey').fill('Laptop')
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByText('From now on you can log in with it').waitFor()
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId })
    assert.equal(credentials.length, 1)
    assert.equal(credentials[0].rpId, 'gateway.velum.test')
    assert.equal(credentials[0].isResidentCredential, true)

    // The same authenticator once more: it knows the person already.
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByText('This device has a passkey for you already').waitFor()

    await page.getByRole('button', { name: 'Log out', exact: true }).first().click()
    await page.waitForURL(`${base}/auth/login`)
    await page.goto(`${base}/orders/1?a=b`)
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.waitForURL(`${base}/orders/1?a=b`)
    assert.equal(await page.title(), 'orders')
    const session = (await page.evaluate(async () => (await fetch('/auth/session')).json())) as { subject: string }
    assert.equal(session.subject, 'ada')

    if (images !== undefined) await portrait(browser, page)
    await page.goto(account)
    await page.locator('summary').click()
    await page.getByLabel('Name', { exact: true }).fill('Old laptop')
    await page.getByRole('button', { name: 'Rename' }).click()
    await page.getByText('The passkey has its new name').waitFor()
    await page.locator('.name', { hasText: 'Old laptop' }).waitFor()
    await page.locator('summary').click()
    await page.getByRole('button', { name: 'Remove Old laptop' }).click()
    await page.getByText('The passkey is removed').waitFor()

    await page.getByRole('button', { name: 'Log out', exact: true }).first().click()
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.getByText('The passkey was not accepted').waitFor()
    // The browser notes the refused passkey, and that the app's page has no icon; a policy that was broken it would note too.
    const complaints = said.filter((line) => !line.startsWith('Failed to load resource'))
    assert.deepEqual(complaints, [])
  })

  it('devices are logged out by forms, without scripts', { timeout: 240_000 }, async () => {
    const laptop = await (await newContext(browser, { javaScriptEnabled: false })).newPage()
    const mobile = await (await newContext(browser, { javaScriptEnabled: false, ...phone })).newPage()
    for (const page of [laptop, mobile]) {
      await page.goto(account)
      assert.equal(await page.getByRole('button', { name: 'Sign in with a passkey' }).isVisible(), false)
      await logInByPassword(page)
      await page.waitForURL(account)
    }
    await laptop.goto(account)
    await laptop.locator('noscript p').waitFor()
    await laptop.getByRole('button', { name: 'Log out Safari on iPhone' }).click()
    await laptop.getByText('That device is logged out').waitFor()
    await mobile.goto(account)
    await mobile.waitForURL(`${base}/auth/login?return_to=*`)

    await logInByPassword(mobile)
    await mobile.waitForURL(account)
    const widths = await mobile.evaluate('[document.documentElement.scrollWidth, innerWidth]')
    assert.deepEqual(widths, [390, 390])
    await mobile.getByRole('button', { name: 'Log out everywhere' }).click()
    await mobile.waitForURL(`${base}/auth/login`)
    await laptop.goto(`${base}/orders/1`)
    await laptop.waitForURL(`${base}/auth/login?return_to=*`)
  })
})
