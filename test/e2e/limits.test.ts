import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { IncomingHttpHeaders, RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess, WorkFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('limits.yaml', import.meta.url), 'utf8')

interface Told {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly content: string
}

type Port = 'web' | 'edge' | 'dear'

interface Gateway {
  readonly velum: VelumProcess
  readonly folder: WorkFolder
  /** Asks over a connection of its own, so that the workers share the requests. */
  ask(path: string, tenant?: string, listener?: Port): Promise<Told>
}

async function gateway(t: TestContext, listener: RequestListener): Promise<Gateway> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env })
  const listeners = await readyListeners(velum)
  const ask = (path: string, tenant = 'acme', name: Port = 'web'): Promise<Told> =>
    new Promise((resolve, reject) => {
      const agent = new Agent()
      request(new URL(path, listeners[name]), { agent, headers: { 'x-tenant': tenant } }, (response) => {
        let content = ''
        response.on('data', (chunk: Buffer) => void (content += chunk.toString()))
        response.on('end', () => {
          agent.destroy()
          resolve({ status: response.statusCode ?? 0, headers: response.headers, content })
        })
      })
        .on('error', reject)
        .end()
    })
  return { velum, folder, ask }
}

const count = (answers: readonly Told[], status: number): number => answers.filter((answer) => answer.status === status).length

test('limits over real sockets, on two workers', async (t) => {
  const waiting: (() => void)[] = []
  const slow = new EventEmitter()
  let isHolding = true
  const node = await gateway(t, (incoming, response) => {
    if (incoming.url !== '/slow' || !isHolding) {
      if (incoming.url?.startsWith('/model') === true) response.setHeader('x-cost', incoming.url.slice('/model?'.length))
      response.end('ok')
      return
    }
    waiting.push(() => response.end('at last'))
    slow.emit('request')
  })

  await t.test('the case of the picture: five pass, three learn when to come back, and that is true', async () => {
    const startedAt = performance.now()
    const answers = await Promise.all(Array.from({ length: 8 }, () => node.ask('/picture')))
    const passed = count(answers, 200)
    // What comes back while eight requests are answered, on a machine that stands still for a second or more.
    const late = Math.floor((performance.now() - startedAt) / 1000)
    assert.ok(passed >= 5 && passed <= 5 + late, `${passed} passed`)
    const refused = answers.filter((answer) => answer.status === 429)
    assert.equal(passed + refused.length, 8)
    for (const { headers, content } of refused) {
      assert.equal(headers['retry-after'], '1')
      assert.equal(headers['ratelimit-policy'], '"picture";q=10;w=5')
      assert.match(String(headers['ratelimit']), /^"picture";r=[01];t=1$/)
      const problem = JSON.parse(content) as Record<string, unknown>
      assert.equal(problem['type'], 'https://iana.org/assignments/http-problem-types#quota-exceeded')
      assert.deepEqual([problem['policy'], problem['violated-policies']], ['picture', ['picture']])
    }
    await sleep(Number(refused.at(-1)?.headers['retry-after'] ?? 0) * 1000)
    assert.equal((await node.ask('/picture')).status, 200)
  })

  await t.test('a bucket is exact across workers, and an edit of it keeps what was used', async () => {
    const answers = await Promise.all(Array.from({ length: 80 }, () => node.ask('/daily')))
    assert.equal(count(answers, 200), 50)
    assert.equal(count(answers, 429), 30)
    assert.equal((await node.ask('/daily', 'other')).headers['ratelimit'], '"daily";r=49;t=4233600')
    const reloaded = node.velum.printed(/the configuration was replaced/)
    node.folder.write('velum.config.yaml', config.replace('capacity: 50', 'capacity: 57'))
    node.velum.kill('SIGHUP')
    await reloaded
    const more = await Promise.all(Array.from({ length: 20 }, () => node.ask('/daily')))
    assert.equal(count(more, 200), 7)
  })

  await t.test('an edge limit refuses before routing, whatever the path', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => node.ask(i % 2 === 0 ? '/fixed' : '/nowhere', 'acme', 'edge')),
    )
    assert.equal(count(answers, 429), 13)
    assert.equal(count(answers, 204) + count(answers, 404), 7)
    for (const { status, headers } of answers)
      if (status !== 429) assert.match(String(headers['ratelimit']), /^"perAddress";r=\d;t=\d+$/)
    assert.equal((await node.ask('/fixed')).status, 204)
  })

  await t.test('an edge limit takes its own cost', async () => {
    const answers = [await node.ask('/fixed', 'acme', 'dear'), await node.ask('/fixed', 'acme', 'dear')]
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers['ratelimit']]),
      [
        [204, '"dearPerAddress";r=4;t=345600'],
        [204, '"dearPerAddress";r=1;t=86400'],
      ],
    )
    assert.equal((await node.ask('/fixed', 'acme', 'dear')).status, 429)
  })

  await t.test('a limit per service counts the service that is drawn', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => node.ask('/split')))
    assert.deepEqual([count(answers, 200), count(answers, 429)], [6, 54])
  })

  await t.test('a concurrency limit counts over both workers and frees its places', async () => {
    const both = [node.ask('/slow'), node.ask('/slow')]
    while (waiting.length < 2) await once(slow, 'request')
    const refused = await node.ask('/slow')
    assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '1'])
    for (const answer of waiting.splice(0)) answer()
    for (const answer of await Promise.all(both)) assert.equal(answer.status, 200)
    // A place is free once the gateway is done with its exchange, which may be a moment after the client is.
    isHolding = false
    let status = 429
    for (let tries = 0; tries < 100 && status === 429; tries++) ({ status } = await node.ask('/slow'))
    assert.equal(status, 200)
  })

  await t.test('a service refuses whatever route leads to it, and the limits of the route get their charge back', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => node.ask('/ledger', 'ledgers')))
    assert.deepEqual([count(answers, 200), count(answers, 429)], [3, 3])
    for (const { headers } of answers) {
      assert.equal(headers['ratelimit-policy'], '"callers";q=10;w=864000, "ledgerCalls";q=3;w=259200')
    }
    const again = await node.ask('/ledger-again')
    assert.equal(again.status, 429)
    assert.equal((JSON.parse(again.content) as Record<string, unknown>)['policy'], 'ledgerCalls')
    // Three were charged to the caller, not six.
    assert.match(String((await node.ask('/callers', 'ledgers')).headers['ratelimit']), /"callers";r=6/)
  })

  await t.test('of several services the one that is drawn is charged, and is the one that is called', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => node.ask('/mixed')))
    const charged = answers.filter(({ headers }) => headers['ratelimit-policy'] !== undefined)
    const passed = charged.filter(({ status }) => status === 200)
    assert.equal(passed.length, 2)
    assert.equal(count(answers, 429), charged.length - 2)
    assert.ok(charged.length < 40)
  })

  await t.test('a cost is reserved, then settled by what the service says', async () => {
    const left = async (cost: string): Promise<unknown> => (await node.ask(`/model?${cost}`)).headers['ratelimit']
    assert.match(String(await left('10')), /"tokens";r=90/)
    assert.match(String(await left('70')), /"tokens";r=20/)
    const refused = await node.ask('/model?1')
    assert.equal(refused.status, 429)
    // A reservation of 40 does not fit into 20: it takes twenty refills of a day each.
    assert.equal(Math.ceil(Number(refused.headers['retry-after']) / 86_400), 20)
  })
})
