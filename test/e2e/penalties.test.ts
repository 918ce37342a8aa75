import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { request as requestTls } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess, WorkFolder } from '../support/velum-process.ts'

interface Told {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Of JSON. */
  readonly document: Record<string, unknown>
}

interface Node {
  readonly velum: VelumProcess
  /** The listener with TLS. */
  readonly secure: string
  /** A request of this client, each on a connection of its own: the gateway believes the test to be a proxy. */
  ask(path: string, address: string, app?: string): Promise<Told>
  askIpv6(path: string): Promise<number>
  admin(method: string, path: string, body?: unknown): Promise<Told>
}

async function start(t: TestContext, folder: WorkFolder): Promise<Node> {
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path })
  const listeners = await readyListeners(velum)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const adminUrl = (JSON.parse(line) as { admin: string }).admin
  const token = readFileSync(join(folder.path, 'store', 'admin.token'), 'utf8').trim()
  return {
    velum,
    secure: listeners['secure'],
    ask: (path, address, app) =>
      send(new URL(path, listeners['web']), 'GET', { 'x-forwarded-for': address, ...(app === undefined ? {} : { 'x-app': app }) }),
    askIpv6: async (path) => (await send(new URL(path, listeners['wide']), 'GET', {})).status,
    admin: (method, path, body) =>
      send(new URL(path, adminUrl), method, { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body),
  }
}

function send(url: URL, method: string, headers: Record<string, string>, body?: unknown): Promise<Told> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body)
    const length = content === undefined ? {} : { 'content-length': Buffer.byteLength(content) }
    const sent = request(url, { method, agent: false, headers: { ...headers, ...length } }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        const isJson = String(response.headers['content-type']).includes('json')
        const document = isJson ? (JSON.parse(text) as Record<string, unknown>) : {}
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, document })
      })
    })
    sent.on('error', reject).end(content)
  })
}

/** Asks until it is answered so; main is told of refusals a moment after they were given. */
async function until(ask: () => Promise<Told>, status: number): Promise<Told> {
  for (let tries = 0; tries < 250; tries++) {
    const told = await ask()
    if (told.status === status && told.document['policy'] !== 'few') return told
    await sleep(20)
  }
  return assert.fail(`nothing was answered with ${status}`)
}

const ids = ({ document }: Told): string[] => (document['penalties'] as { id: string }[]).map(({ id }) => id)

test('the penalty box over real sockets, on two workers', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', readFileSync(new URL('penalties.yaml', import.meta.url), 'utf8'))
  let node = await start(t, folder)
  let boxed: Told | undefined

  await t.test('a client that is refused twenty times is boxed everywhere, and told until when', async () => {
    for (let i = 0; i < 20; i++) assert.equal((await node.ask('/few', '203.0.113.1')).status, i === 0 ? 200 : 429)
    assert.equal((await node.ask('/free', '203.0.113.1')).status, 200, 'nineteen refusals are not enough')
    assert.equal((await node.ask('/few', '203.0.113.1')).status, 429)
    boxed = await until(() => node.ask('/free', '203.0.113.1'), 429)
    assert.equal(boxed.document['type'], 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected')
    assert.equal(boxed.document['policy'], 'abusive')
    const retryAfter = Number(boxed.headers['retry-after'])
    assert.ok(retryAfter > 590 && retryAfter <= 600, String(retryAfter))
    for (let i = 0; i < 8; i++) assert.equal((await node.ask('/nowhere', '203.0.113.1')).status, 429)
    assert.equal((await node.ask('/free', '203.0.113.2')).status, 200)
  })

  await t.test('one app behind an address is boxed without its neighbours', async () => {
    for (let i = 0; i < 11; i++) await node.ask('/each', '203.0.113.7', 'scraper')
    const told = await until(() => node.ask('/free', '203.0.113.7', 'scraper'), 403)
    assert.equal(told.headers['retry-after'], undefined)
    assert.equal((await node.ask('/free', '203.0.113.7', 'shop')).status, 200)
    assert.equal((await node.ask('/free', '203.0.113.7')).status, 200)
  })

  await t.test('who guesses passwords is boxed, also at the login itself', async () => {
    const url = new URL('/auth/login', node.secure)
    const ca = readFileSync(join(folder.path, 'store', 'dev-ca.pem'))
    const guess = (address: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const content = JSON.stringify({ username: `user${Math.random()}`, password: 'a guess' })
        const headers = {
          'x-forwarded-for': address,
          'content-type': 'application/json',
          'content-length': content.length,
          host: 'localhost:8443',
          origin: 'https://localhost:8443',
        }
        const sent = requestTls(url, { method: 'POST', agent: false, ca, servername: 'localhost', headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0))
        })
        sent.on('error', reject).end(content)
      })
    assert.equal(await guess('203.0.113.20'), 401)
    for (let i = 0; i < 20; i++) await guess('203.0.113.20')
    await until(() => node.ask('/free', '203.0.113.20'), 429)
    assert.equal(await guess('203.0.113.20'), 429)
    const penalties = (await node.admin('GET', '/api/penalties')).document['penalties'] as Record<string, unknown>[]
    const found = penalties.find(({ penalty, who }) => penalty === 'abusive' && JSON.stringify(who).includes('203.0.113.20'))!
    assert.ok(((found['evidence'] as Record<string, unknown>)['by'] as Record<string, number>)['identity:401'] > 0)
    const lifted = await node.admin('DELETE', `/api/penalties/${String(found['id'])}`)
    assert.equal(lifted.status, 200)
    for (const { id } of penalties.filter(({ who }) => JSON.stringify(who).includes('203.0.113.20')))
      await node.admin('DELETE', `/api/penalties/${String(id)}`)
  })

  await t.test('operators see who is boxed, why and until when', async () => {
    const told = await node.admin('GET', '/api/penalties')
    const penalties = told.document['penalties'] as Record<string, unknown>[]
    const abusive = penalties.find(({ penalty }) => penalty === 'abusive')!
    assert.deepEqual([abusive['who'], abusive['by'], abusive['label']], [{ address: '203.0.113.1' }, 'rule', 'penalty:abusive'])
    assert.equal((abusive['evidence'] as Record<string, unknown>)['refusals'], 20)
    assert.deepEqual((abusive['evidence'] as Record<string, unknown>)['by'], { 'limited:few': 20 })
    const shadow = penalties.filter(({ penalty }) => penalty === 'watched')
    assert.equal(shadow.length, 2, 'a shadow boxes and reports')
    const rules = told.document['rules'] as Record<string, unknown>[]
    assert.deepEqual(rules[0], {
      name: 'abusive',
      after: '20 refusals in 1m',
      for: '10m',
      per: ['address'],
      answer: 429,
      shadow: false,
      boxed: 1,
    })
    const metrics = (await node.admin('GET', '/metrics')).text
    for (const line of [
      'velum_penalties{penalty="abusive"} 1',
      'velum_penalties_imposed_total{by="rule",penalty="watched"} 3',
      'velum_refusals_total{code="over-limit",label="limited:few",policy="limits"} 20',
      'velum_refusals_total{code="boxed",label="penalty:app",policy="penalties"} 1',
    ])
      assert.ok(metrics.split('\n').includes(line), line)
    assert.ok(/velum_penalty_decisions_total\{decision="shadow_refused",penalty="watched"\} [1-9]/.test(metrics))
  })

  await t.test('a boxed client carries its label in the access log', async () => {
    let lines: Record<string, unknown>[] = []
    for (let tries = 0; tries < 250 && !lines.some(({ label }) => label === 'penalty:abusive'); tries++) {
      await sleep(20)
      const text = readFileSync(join(folder.path, 'access.log'), 'utf8')
      lines = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]))
    }
    const line = lines.find(({ label }) => label === 'penalty:abusive')!
    assert.deepEqual([line['address'], line['refusedBy'], line['verdict']], ['203.0.113.1', 'penalties', 'boxed'])
  })

  await t.test('by hand clients are boxed and let out: by command, through the running gateway', async () => {
    const options = { folder: folder.path }
    const added = await runVelum(
      t,
      ['penalty', 'add', 'banned', 'address=198.51.100.9', '--for', '1h', '--reason', 'a test'],
      options,
    )
    assert.equal(added.code, 0, added.err)
    assert.match(added.out, /^address=198\.51\.100\.9 is boxed as banned until /)
    await until(() => node.ask('/free', '198.51.100.9'), 429)
    const listed = await runCommand(['penalty', 'list', '--json'], options)
    const found = (JSON.parse(listed.out) as Record<string, unknown>[]).find(({ penalty }) => penalty === 'banned')!
    assert.deepEqual([found['by'], found['reason']], ['hand', 'a test'])
    assert.match((await runCommand(['penalty', 'list'], options)).out, /^ID +WHO +UNTIL +BY +REASON\n/)
    assert.equal((await runCommand(['penalty', 'lift', String(found['id'])], options)).code, 0)
    await until(() => node.ask('/free', '198.51.100.9'), 200)
    const again = await runCommand(['penalty', 'lift', String(found['id'])], options)
    assert.deepEqual([again.code, again.err], [1, 'velum: Nobody is boxed under this id\n'])
    const wrong = await runCommand(['penalty', 'add', 'banned', 'address=nobody'], options)
    assert.equal(wrong.code, 1)
    assert.match(wrong.err, /"nobody" is no address/)
    assert.equal((await runCommand(['penalty', 'add', 'banned'], options)).code, 2)
  })

  await t.test('by hand through the admin API, an IPv6 client by its /64', async (sub) => {
    const put = await node.admin('PUT', '/api/penalties', {
      penalty: 'banned',
      who: { address: '::1' },
      for: '1h',
      reason: 'a test',
    })
    assert.deepEqual([put.status, put.document['who'], put.document['stored']], [200, { address: '::/64' }, true])
    let status: number | undefined
    try {
      for (let tries = 0; tries < 250 && status !== 429; tries++) status = await node.askIpv6('/free')
    } catch (error) {
      sub.skip(`this machine has no IPv6 loopback: ${(error as Error).message}`)
      return
    }
    assert.equal(status, 429)
    assert.equal((await node.admin('DELETE', `/api/penalties/${String(put.document['id'])}`)).status, 200)
    assert.equal((await node.admin('DELETE', `/api/penalties/${String(put.document['id'])}`)).status, 404)
    for (let tries = 0; tries < 250 && status !== 200; tries++) status = await node.askIpv6('/free')
    assert.equal(status, 200)
    for (const body of [
      {},
      { penalty: 'banned', who: {} },
      { penalty: 'nothing', who: { address: '::1' } },
      [],
      { penalty: 'banned', who: { address: '::1' }, for: 'long' },
    ])
      assert.equal((await node.admin('PUT', '/api/penalties', body)).status, 422, JSON.stringify(body))
  })

  await t.test('who is boxed stays so through a restart, and can be let out while nothing runs', async () => {
    const before = ids(await node.admin('GET', '/api/penalties'))
    node.velum.kill('SIGTERM')
    assert.equal((await node.velum.ended).code, 0)
    const options = { folder: folder.path }
    const listed = JSON.parse((await runCommand(['penalty', 'list', '--json'], options)).out) as { id: string; penalty: string }[]
    assert.deepEqual(listed.map(({ id }) => id).toSorted(), before.toSorted())
    assert.equal((await runCommand(['penalty', 'lift', listed.find(({ penalty }) => penalty === 'app')!.id], options)).code, 0)
    node = await start(t, folder)
    const told = await node.ask('/free', '203.0.113.1')
    assert.equal(told.status, 429)
    assert.ok(Number(told.headers['retry-after']) <= Number(boxed?.headers['retry-after']))
    assert.equal((await node.ask('/free', '203.0.113.7', 'scraper')).status, 200)
  })
})
