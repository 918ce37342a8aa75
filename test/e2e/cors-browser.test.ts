import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { serviceOf } from '../support/http-service.ts'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('cors-browser.yaml', import.meta.url), 'utf8')

/** What a page's script got to see of one call. */
interface Seen {
  readonly status?: number
  readonly text?: string
  readonly count?: string | null
  /** The browser kept all of it from the page. */
  readonly isKeptBack?: boolean
}

interface Init {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly credentials?: 'include' | 'omit'
}

interface World {
  readonly api: string
  /** A page of the origin that may call, of a person who is logged in; and one of a stranger, in the same browser. */
  readonly friend: Page
  readonly stranger: Page
  /** Method and path of what reached the service, in order. */
  readonly served: string[]
  /** How many preflights the gateway answered for this path so far. */
  readonly preflights: (path: string) => Promise<number>
}

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The lines of the access log that were written so far. */
function logged(folder: string): Record<string, unknown>[] {
  const lines = readFileSync(join(folder, 'access.log'), 'utf8').split('\n')
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Record<string, unknown>)
}

async function openWorld(t: TestContext): Promise<World> {
  const served: string[] = []
  const upstream = await serviceOf(t, (incoming, response) => {
    const { method, url = '', headers } = incoming
    if (!url.startsWith('/app')) served.push(`${method} ${url}`)
    response.setHeader('content-type', 'text/html')
    response.setHeader('x-count', '3')
    response.end(url.startsWith('/app') ? '<!doctype html><title>page</title>' : `${method} ${String(headers['x-team'] ?? '')}`)
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const port = await unusedPort()
  const options = { folder: folder.path, env: { PORT: String(port), UPSTREAM: upstream } }
  const password = { ...options, input: 'correct horse battery' }
  const added = await runCommand(['user', 'add', 'ada', '--password-stdin'], password)
  assert.equal(added.code, 0, added.err)
  const velum = startVelum(t, ['run', '--workers', '1'], options)
  await readyListeners(velum)
  const browser = await launchChromium(t, { names: 'MAP *.velum.test 127.0.0.1, MAP evil.example 127.0.0.1' })
  const api = `https://api.velum.test:${port}`
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const login = await context.newPage()
  await login.goto(`${api}/orders/1`)
  await login.getByLabel('User name').fill('ada')
  await login.getByLabel('Password').fill('correct horse battery')
  await login.getByRole('button', { name: 'Log in' }).click()
  await login.waitForURL(`${api}/orders/1`)
  const pageOf = async (host: string): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(`https://${host}:${port}/app/`)
    return page
  }
  const friend = await pageOf('app.velum.test')
  return {
    api,
    friend,
    stranger: await pageOf('evil.example'),
    served,
    preflights: async (path) => {
      // The log is written a moment after the answers; a request of ours behind them tells when it has caught up.
      const mark = `/open/mark-${served.length}`
      await fetchFrom(friend, api + mark)
      while (!logged(folder.path).some((line) => line['path'] === mark)) await new Promise((resolve) => setTimeout(resolve, 20))
      return logged(folder.path).filter((line) => line['method'] === 'OPTIONS' && line['path'] === path).length
    },
  }
}

/** Calls from a page's script, as any page might. */
function fetchFrom(page: Page, url: string, init: Init = {}): Promise<Seen> {
  return page.evaluate(
    async ([to, how]) => {
      try {
        const answer = await fetch(to, how)
        const { status, headers } = answer
        return { status, text: await answer.text(), count: headers.get('x-count') }
      } catch {
        return { isKeptBack: true }
      }
    },
    [url, init] as const,
  )
}

describe('pages of other origins, in a real browser', { skip: noChromium }, () => {
  it('see what they may, and nothing else', { timeout: 120_000 }, async (t) => {
    const { api, friend, stranger, served, preflights } = await openWorld(t)

    await t.test('a page of an allowed origin reads answers, with the session that the browser holds', async () => {
      const seen = await fetchFrom(friend, `${api}/orders/2`, { credentials: 'include' })
      assert.deepEqual([seen.status, seen.text, seen.count], [200, 'GET ', '3'])
    })

    await t.test('without credentials it is told that it needs some, readably', async () => {
      const seen = await fetchFrom(friend, `${api}/orders/2`, { credentials: 'omit' })
      assert.equal(seen.status, 401)
      assert.match(seen.text!, /"title"/)
    })

    await t.test('a preflight lets it use methods and headers, and is remembered', async () => {
      const init = { method: 'PUT', headers: { 'x-team': 'blue' }, credentials: 'include' as const }
      for (let turn = 0; turn < 3; turn++) {
        const seen = await fetchFrom(friend, `${api}/orders/3`, init)
        assert.deepEqual([seen.status, seen.text], [200, 'PUT blue'])
      }
      assert.equal(await preflights('/orders/3'), 1)
    })

    await t.test('a refusal is as readable as an answer', async () => {
      assert.equal((await fetchFrom(friend, `${api}/scarce`)).status, 200)
      const refused = await fetchFrom(friend, `${api}/scarce`)
      assert.equal(refused.status, 429)
      assert.match(refused.text!, /quota-exceeded/)
    })

    await t.test('a stranger’s page gets nothing, and changes nothing', async () => {
      const before = served.length
      for (const credentials of ['include', 'omit'] as const) {
        assert.deepEqual(await fetchFrom(stranger, `${api}/orders/4`, { credentials, method: 'PUT' }), { isKeptBack: true })
        const form = { credentials, method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }
        assert.deepEqual(await fetchFrom(stranger, `${api}/orders/4`, form), { isKeptBack: true })
        assert.deepEqual(await fetchFrom(stranger, `${api}/orders/4`, { credentials }), { isKeptBack: true })
      }
      assert.deepEqual(served.slice(before), [])
    })

    await t.test('what is open to every page is open to a stranger’s, without credentials', async () => {
      const seen = await fetchFrom(stranger, `${api}/open/1`)
      assert.deepEqual([seen.status, seen.text], [200, 'GET '])
      assert.deepEqual(await fetchFrom(stranger, `${api}/open/1`, { credentials: 'include' }), { isKeptBack: true })
      assert.deepEqual(await fetchFrom(stranger, `${api}/open/1`, { method: 'DELETE' }), { isKeptBack: true })
    })
  })
})
