import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { openDashboardWorld } from '../support/dashboard-world.ts'

const many = 5000
const written = readFileSync(new URL('dashboard.yaml', import.meta.url), 'utf8')

test('with 5,000 routes the first view asks for little and draws little', { skip: noChromium, timeout: 120_000 }, async (t) => {
  const routes = Array.from(
    { length: many },
    (_, i) => `  - { name: r${i}, match: { path: '/many/${i}/{id}' }, to: orders, auth: public, limits: [perAddress] }`,
  )
  const world = await openDashboardWorld(t, written.replace('routes:\n', `routes:\n${routes.join('\n')}\n`))
  const browser = await launchChromium(t)
  const page = await browser.newPage()
  const asked: string[] = []
  let bytes = 0
  page.on('response', (response) => {
    asked.push(new URL(response.url()).pathname)
    void response.body().then(
      (body) => (bytes += body.length),
      () => {},
    )
  })
  await page.goto(`${world.admin}/#token=${world.token}`)
  const drawn = page.locator('.step').nth(8)
  await drawn.waitFor()
  // As it is for whoever comes back: signed in, and nothing in memory.
  for (let i = 0; i < 3; i++) {
    asked.length = 0
    bytes = 0
    await page.reload()
    await drawn.waitFor()
    const took = Number(await page.evaluate('performance.now()'))
    t.diagnostic(`first view with ${many} routes: ${Math.round(took)} ms, ${asked.length} answers, ${bytes} bytes`)
  }
  assert.ok(asked.length <= 8, asked.join(' '))
  assert.ok(!asked.includes('/api/routes') && !asked.includes('/api/overview/routes'), 'no list of routes is fetched')
  assert.ok(bytes < 400_000, `${bytes} bytes`)
  const nodes = (): Promise<number> => page.evaluate("document.querySelectorAll('*').length")
  assert.ok((await nodes()) < 1500, `${await nodes()} elements`)
  await page.getByRole('navigation').getByRole('link', { name: 'Routes', exact: true }).click()
  await page.getByRole('main').getByText('/many/0/{id}').waitFor()
  assert.ok((await nodes()) < 5000, `${await nodes()} elements of routes`)
  await page.getByRole('searchbox').fill('r4999')
  await page.getByRole('main').getByText('/many/4999/{id}').waitFor()
})
