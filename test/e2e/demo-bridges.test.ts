import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { startVelum, workFolder } from '../support/velum-process.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../../', import.meta.url))
const env = { DEMO_HTTP_PORT: '0', DEMO_HTTPS_PORT: '0', DEMO_ADMIN_PORT: '0' }
const buf = fileURLToPath(new URL('../../node_modules/.bin/buf', import.meta.url))

interface Demo {
  readonly base: string
  readonly authority: string
  readonly token: string
  readonly password: string
}

async function startDemo(t: TestContext): Promise<Demo> {
  const demo = startVelum(t, ['demo'], { folder: checkout, env: { ...env, DEMO_STORE: workFolder(t).path } })
  await demo.printed(/Ctrl-C stops all of it/)
  return {
    base: /https:\/\/localhost:\d+/.exec(demo.out)![0],
    authority: /--cacert '?([^' ]+)/.exec(demo.out)![1],
    token: /Bearer ([^']+)'/.exec(demo.out)![1],
    password: /her password until the next start:\n\n {2}(\S+)\n/.exec(demo.out)![1],
  }
}

test('the demo’s billing service, which speaks gRPC, as everybody else calls it', { timeout: 180_000 }, async (t) => {
  const demo = await startDemo(t)
  const { base, authority, token, password } = demo
  const curl = async (path: string, ...args: readonly string[]): Promise<string> => {
    const all = ['--cacert', authority, '-sS', '-m', '20', '-H', `Authorization: Bearer ${token}`, ...args, base + path]
    return (await run('curl', all)).stdout
  }

  await t.test('curl: REST, and a stream as events, lines and an array', async () => {
    assert.match(await curl('/v1/invoices/inv-2001'), /^\{"invoiceId":"inv-2001",/)
    const made = await curl(
      '/v1/invoices',
      '-H',
      'Content-Type: application/json',
      '-d',
      '{"customerId":"acme","lines":[{"description":"oak chair","quantity":2,"unitPrice":{"currencyCode":"EUR","minorUnits":"9000"}}]}',
    )
    assert.match(made, /"customerId":"acme"/)
    const [events, lines, array] = await Promise.all([
      watch(demo, 'text/event-stream'),
      watch(demo, 'application/x-ndjson'),
      watch(demo, 'application/json'),
    ])
    assert.match(events, /^data: \{".*\}\n\n/m)
    assert.match(lines, /^\{".*\}\n/)
    assert.match(array, /^\[\{".*\}/)
  })

  await t.test('buf curl: gRPC, gRPC-Web and Connect', async () => {
    for (const protocol of ['grpc', 'grpcweb', 'connect']) {
      const { stdout } = await run(
        buf,
        [
          'curl',
          `--protocol=${protocol}`,
          '--schema=demo/protos',
          `--cacert=${authority}`,
          `--header=Authorization: Bearer ${token}`,
          '--data={"invoiceId":"inv-2001"}',
          `${base}/billing.v1.Billing/GetInvoice`,
        ],
        { cwd: checkout, timeout: 60_000 },
      )
      assert.match(stdout, /"invoiceId": ?"inv-2001"/, protocol)
    }
  })

  await t.test('GraphQL: a query and a subscription', async () => {
    const query = JSON.stringify({ query: '{ getInvoice(input: { invoiceId: "inv-2001" }) { invoiceId customerId } }' })
    const answer = await curl('/graphql', '-H', 'Content-Type: application/json', '-d', query)
    assert.match(answer, /^\{"data":\{"getInvoice":\{"invoiceId":"inv-2001","customerId":"/)
    const subscription = JSON.stringify({ query: 'subscription { watchInvoices { invoice { invoiceId } } }' })
    const all = ['--cacert', authority, '-sS', '-N', '-m', '3', '-H', `Authorization: Bearer ${token}`, '-d', subscription]
    const types = ['-H', 'Content-Type: application/json', '-H', 'Accept: text/event-stream']
    const events = await run('curl', [...all, ...types, `${base}/graphql`]).catch((error: { stdout: string }) => error)
    assert.match(events.stdout, /^event: next\ndata: \{"data":\{"watchInvoices":/m)
  })

  await t.test('a page in a browser: WebSocket and Connect, with its session', { skip: noChromium }, async () => {
    const browser = await launchChromium(t)
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    await page.goto(`${base}/users/me`)
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.waitForURL(`${base}/users/me`)
    const answer = await page.evaluate(async () => {
      const headers = { 'content-type': 'application/json', 'connect-protocol-version': '1' }
      const init = { method: 'POST', headers, body: '{"invoiceId":"inv-2001"}' }
      const response = await fetch('/billing.v1.Billing/GetInvoice', init)
      return [response.status, ((await response.json()) as { invoiceId: string }).invoiceId]
    })
    assert.deepEqual(answer, [200, 'inv-2001'])
    assert.deepEqual(await byWebSocket(page, '/billing.v1.Billing/GetInvoice', ['{"invoiceId":"inv-2001"}', '{"$end":true}']), {
      first: 'inv-2001',
      status: 0,
      closed: 1000,
    })
  })
})

/** The first moments of a stream; without an end of its own it is cut off by curl, which prints what it was given until then. */
function watch({ base, authority, token }: Demo, accept: string): Promise<string> {
  const all = ['--cacert', authority, '-sS', '-N', '-m', '3', '-H', `Authorization: Bearer ${token}`, '-H', `Accept: ${accept}`]
  return run('curl', [...all, `${base}/v1/invoices:watch`]).then(
    ({ stdout }) => stdout,
    (error: { stdout: string; code: number }) => (error.code === 28 ? error.stdout : Promise.reject(error)),
  )
}

/** What a page hears of a bridged method over a WebSocket: the first message's invoice, the status, the code of the end. */
function byWebSocket(page: Page, path: string, frames: readonly string[]): Promise<unknown> {
  return page.evaluate(
    ([host, to, sent]) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`wss://${host}${to}`, 'velum.grpc.json.v1')
        const heard: { invoiceId?: string; $status?: { code?: number } }[] = []
        socket.addEventListener('open', () => {
          for (const frame of sent) socket.send(frame)
        })
        socket.addEventListener('message', ({ data }) => heard.push(JSON.parse(data as string) as { invoiceId?: string }))
        socket.addEventListener('close', ({ code }) => {
          resolve({ first: heard[0]?.invoiceId, status: heard.at(-1)?.$status?.code ?? 0, closed: code })
        })
      }),
    [new URL(page.url()).host, path, frames] as const,
  )
}
