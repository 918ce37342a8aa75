import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startVelum, workFolder } from '../support/velum-process.ts'

const yaml = readFileSync(new URL('adaptive.yaml', import.meta.url), 'utf8')

interface Told {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly ms: number
}

/** A service whose workers do one job each at a time; the others wait in line. Its probes need no worker. */
class Pool {
  workMs = 10
  probes = 0
  readonly server: Server
  readonly #line: ServerResponse[] = []
  #idle: number

  constructor(t: TestContext, workers: number) {
    this.#idle = workers
    this.server = createServer((incoming, response) => {
      if (incoming.url === '/healthz') {
        this.probes++
        response.end()
        return
      }
      this.#line.push(response)
      this.#work()
    }).listen(0, '127.0.0.1')
    t.after(() => {
      this.server.close()
      this.server.closeAllConnections()
    })
  }

  async address(): Promise<string> {
    if (!this.server.listening) await once(this.server, 'listening')
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  #work(): void {
    const response = this.#idle > 0 ? this.#line.shift() : undefined
    if (response === undefined) return
    this.#idle--
    setTimeout(() => {
      this.#idle++
      response.end('done')
      this.#work()
    }, this.workMs)
  }
}

const agent = new Agent({ keepAlive: true })

function ask(url: string): Promise<Told> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => void (text += chunk.toString()))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, ms: performance.now() - startedAt }),
      )
    }).on('error', reject)
  })
}

/** Callers who ask again as soon as they are answered, and a little later when they are refused. */
function crowd(url: string, size: number): { readonly seen: Told[]; stop(): Promise<unknown> } {
  const seen: Told[] = []
  const over = new AbortController()
  const caller = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const told = await ask(url)
      seen.push(told)
      if (told.status !== 200) await sleep(100)
    }
  }
  const callers = Array.from({ length: size }, caller)
  return {
    seen,
    stop() {
      over.abort()
      return Promise.all(callers)
    },
  }
}

/** One request each 25 ms, whether the ones before were answered or not. */
async function steadily(url: string, count: number): Promise<Told[]> {
  const asked: Promise<Told>[] = []
  for (let i = 0; i < count; i++) {
    asked.push(ask(url))
    await sleep(25)
  }
  return Promise.all(asked)
}

function percentile(answers: readonly Told[], share: number): number {
  const sorted = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

const refused = (answers: readonly Told[]): Told[] => answers.filter(({ status }) => status !== 200)

test('services that get no more than they can do', { timeout: 120_000 }, async (t) => {
  const open = new Pool(t, 8)
  const guarded = new Pool(t, 8)
  const held: ServerResponse[] = []
  const arrivals = new EventEmitter()
  const few = createServer((_, response) => {
    held.push(response)
    arrivals.emit('request')
  }).listen(0, '127.0.0.1')
  await once(few, 'listening')
  t.after(() => {
    few.close()
    few.closeAllConnections()
    agent.destroy()
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', yaml)
  const env = {
    OPEN: await open.address(),
    GUARDED: await guarded.address(),
    FEW: `http://127.0.0.1:${(few.address() as AddressInfo).port}`,
  }
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env })
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { listeners, admin } = JSON.parse(line) as { listeners: { web: string }; admin: string }
  const at = (path: string): string => new URL(path, listeners.web).href
  const metrics = async (): Promise<string> => {
    const token = readFileSync(join(folder.path, '.velum', 'metrics.token'), 'utf8').trim()
    return (await fetch(new URL('/metrics', admin), { headers: { authorization: `Bearer ${token}` } })).text()
  }

  await t.test(
    'slowed under load, a service keeps what is critical quick and sheds the rest; unguarded, all of it is slow',
    async () => {
      // 300 callers at 160 requests a second: what has no guard answers each of them after about two seconds.
      open.workMs = 50
      const all = crowd(at('/open/feed'), 300)
      await sleep(1500)
      const slow = await steadily(at('/open/pay'), 60)
      await all.stop()
      assert.equal(refused([...slow, ...all.seen]).length, 0)
      const usualWait = percentile(slow, 0.5)
      assert.ok(usualWait > 1000, `the scene is not set: ${usualWait} ms`)

      const calm = await steadily(at('/guarded/pay'), 60)
      assert.ok(refused(calm).length <= calm.length / 10, `${refused(calm).length} refused in calm`)
      guarded.workMs = 50
      const shed = crowd(at('/guarded/feed'), 300)
      await sleep(1500)
      const probesBefore = guarded.probes
      const critical = await steadily(at('/guarded/pay'), 120)
      const probesAfter = guarded.probes
      await shed.stop()
      // A machine that stands still for a moment looks like a service that does: a few may be refused for it.
      assert.ok(refused(critical).length <= critical.length / 20, `${refused(critical).length} critical ones refused`)
      assert.ok(
        percentile(critical, 0.99) < usualWait / 2,
        `critical p99 ${percentile(critical, 0.99)} ms, unguarded ${usualWait} ms`,
      )
      assert.ok(
        percentile(critical, 0.5) < usualWait / 5,
        `critical p50 ${percentile(critical, 0.5)} ms, unguarded ${usualWait} ms`,
      )
      const turnedAway = refused(shed.seen)
      assert.ok(turnedAway.length > shed.seen.length / 2, `${turnedAway.length} of ${shed.seen.length} shed`)
      for (const { status, headers } of turnedAway) {
        assert.equal(status, 503)
        assert.equal(headers['retry-after'], '1')
      }
      const { type, policy } = JSON.parse(turnedAway[0].text) as { type: string; policy: string }
      assert.equal(type, 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity')
      assert.equal(policy, 'concurrency')
      assert.ok(probesAfter > probesBefore, 'probes go on')
    },
  )

  await t.test('once it is quick again, nobody is refused any more', async () => {
    guarded.workMs = 10
    let tries = 1
    while (refused(await steadily(at('/guarded/feed'), 40)).length > 0 && tries < 20) tries++
    assert.ok(tries < 20, 'still refusing after 20 s')
  })

  await t.test('says so in its metrics, by priority', async () => {
    const text = await metrics()
    const counted = (priority: string, decision: string): number =>
      Number(
        new RegExp(
          `^velum_service_admissions_total\\{decision="${decision}",priority="${priority}",service="guarded"\\} (\\d+)$`,
          'm',
        ).exec(text)?.[1],
      )
    assert.ok(counted('critical', 'refused') <= 12)
    assert.ok(counted('critical', 'admitted') >= 168)
    assert.ok(counted('sheddable', 'refused') > 0 && counted('sheddable', 'admitted') > 0)
    assert.match(text, /^velum_service_concurrency_limit\{service="guarded"\} [1-9]\d*$/m)
  })

  await t.test('a fixed number of places is exact over the workers, the last ones are for what is critical', async () => {
    const asked = Array.from({ length: 12 }, () => ask(at('/few/feed')))
    const settled: Told[] = []
    for (const one of asked) void one.then((told) => settled.push(told))
    while (held.length < 4 || settled.length < 8) await Promise.race([once(arrivals, 'request'), sleep(20)])
    assert.deepEqual(
      settled.map(({ status }) => status),
      Array(8).fill(503),
    )
    const critical = ask(at('/few/pay'))
    await once(arrivals, 'request')
    assert.equal((await ask(at('/few/pay'))).status, 503)
    assert.equal(held.length, 5)
    for (const response of held.splice(0)) response.end('at last')
    assert.equal((await critical).status, 200)
    assert.equal(refused(await Promise.all(asked)).length, 8)
    // Of 20 in its limit, the four that were answered are gone: the others were given back.
    const later: Told[] = []
    for (let i = 0; i < 17; i++) {
      const next = ask(at('/few/feed'))
      if (i < 16) await once(arrivals, 'request')
      for (const response of held.splice(0)) response.end('quick')
      later.push(await next)
    }
    assert.deepEqual(
      later.map(({ status }) => status),
      [...Array<number>(16).fill(200), 429],
    )
  })
})
