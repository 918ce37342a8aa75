import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startVelum, workFolder } from '../support/velum-process.ts'

const yaml = readFileSync(new URL('adaptive.yaml', import.meta.url), 'utf8')

interface Told {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly ms: number
}

/** What a service of `queueing-service.mjs` says of itself. */
interface QueueState {
  /** In line for a worker. */
  readonly waiting: number
  readonly probes: number
}

interface QueueingService {
  readonly url: string
  state(): Promise<QueueState>
  /** From now on a job takes so long. */
  slowTo(jobMs: number): Promise<void>
}

const program = fileURLToPath(new URL('../support/queueing-service.mjs', import.meta.url))

/** A process that works on `workers` requests at a time, for `jobMs` each; others wait in line. */
async function queueingService(t: TestContext, workers: number, jobMs: number): Promise<QueueingService> {
  const child = fork(program, [String(workers), String(jobMs)])
  t.after(() => child.kill('SIGKILL'))
  const heard = async <T>(): Promise<T> => (await once(child, 'message'))[0] as T
  const { url } = await heard<{ url: string }>()
  return {
    url,
    state() {
      child.send({ ask: 'state' })
      return heard<QueueState>()
    },
    async slowTo(ms) {
      child.send({ jobMs: ms })
      await heard()
    },
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

/** Callers who ask again as soon as they are answered, and when they are refused, when they were told to. */
function crowd(url: string, size: number): { readonly seen: Told[]; stop(): Promise<void> } {
  const seen: Told[] = []
  const over = new AbortController()
  const caller = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const told = await ask(url)
      seen.push(told)
      if (told.status === 200) continue
      await sleep(1000 * Number(told.headers['retry-after']), undefined, { signal: over.signal }).catch(() => undefined)
    }
  }
  const callers = Array.from({ length: size }, caller)
  return {
    seen,
    async stop() {
      over.abort()
      await Promise.all(callers)
    },
  }
}

/** One request to each of these every 25 ms, whether the ones before were answered or not. */
async function steadily(urls: readonly string[], count: number): Promise<Told[][]> {
  const asked: Promise<Told>[][] = urls.map(() => [])
  for (let i = 0; i < count; i++) {
    for (const [k, url] of urls.entries()) asked[k].push(ask(url))
    await sleep(25)
  }
  return Promise.all(asked.map((each) => Promise.all(each)))
}

function percentile(answers: readonly Told[], share: number): number {
  const sorted = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

const refused = (answers: readonly Told[]): Told[] => answers.filter(({ status }) => status !== 200)

/** Four requests at a time, 10 ms each: 400 a second. 800 callers who wait for their answers wait for 2 s each. */
const workers = 4
const jobMs = 10
const callers = 800

test('services that get no more than they can do', { timeout: 120_000 }, async (t) => {
  const open = await queueingService(t, workers, jobMs)
  const guarded = await queueingService(t, workers, jobMs)
  const calm = await queueingService(t, workers, jobMs)
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
    OPEN: open.url,
    GUARDED: guarded.url,
    CALM: calm.url,
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
  let sent = 0

  await t.test(
    'slowed from 10 ms to 2 s under load, a service without a guard is slow for all; one with a guard keeps what is critical near normal and sheds the rest',
    async () => {
      const [atRest] = await steadily([at('/guarded/pay')], 80)
      sent += atRest.length
      assert.equal(refused(atRest).length, 0)
      assert.ok(percentile(atRest, 0.5) < 100, `not at rest: ${percentile(atRest, 0.5)} ms`)

      const all = crowd(at('/open/feed'), callers)
      while ((await open.state()).waiting < 0.95 * callers) await sleep(20)
      const [slow] = await steadily([at('/open/pay')], 40)
      await all.stop()
      assert.equal(refused([...slow, ...all.seen]).length, 0)
      const unguarded = percentile(slow, 0.5)
      assert.ok(unguarded > 1800, `the scene is not set: ${unguarded} ms`)

      // The same crowd, from its first request on; beside it the same requests to a service that nobody crowds, by which
      // is known what this machine makes of 10 ms in these very seconds.
      const probesBefore = (await guarded.state()).probes
      const shed = crowd(at('/guarded/feed'), callers)
      const [critical, normal] = await steadily([at('/guarded/pay'), at('/calm/pay')], 240)
      sent += critical.length
      const { waiting, probes } = await guarded.state()
      await shed.stop()
      assert.equal(refused(critical).length, 0)
      // Of each pair, sent in the same moment: whatever the machine did then, it did to both.
      const later = critical.map(({ ms }, k) => ms - normal[k].ms).toSorted((a, b) => a - b)
      const [p50, p99] = [0.5, 0.99].map((share) => later[Math.floor(later.length * share)])
      const words = `critical later than in calm by ${p50} ms (p50), ${p99} ms (p99); in calm ${percentile(normal, 0.5)} ms; unguarded ${unguarded} ms`
      t.diagnostic(words)
      assert.ok(p50 < 50, words)
      assert.ok(p99 < unguarded / 8, words)
      assert.ok(waiting < callers / 10, `${waiting} wait at the service`)
      assert.ok(probes > probesBefore, 'probes go on')
      const turnedAway = refused(shed.seen)
      assert.ok(turnedAway.length > shed.seen.length / 2, `${turnedAway.length} of ${shed.seen.length} shed`)
      for (const { status, headers } of turnedAway) {
        assert.equal(status, 503)
        assert.equal(headers['retry-after'], '1')
      }
      // What is shed is what it could not have done: it is as busy as ever.
      const seconds = (critical.length * 25) / 1000
      const answered = shed.seen.length - turnedAway.length
      assert.ok(answered > 0.3 * seconds * (workers / (jobMs / 1000)), `${answered} of the crowd answered`)
      const { type, policy } = JSON.parse(turnedAway[0].text) as { type: string; policy: string }
      assert.equal(type, 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity')
      assert.equal(policy, 'concurrency')
    },
  )

  await t.test('so does one that grew five times slower itself, by the measure of what it can do now', async () => {
    await guarded.slowTo(5 * jobMs)
    const shed = crowd(at('/guarded/feed'), callers / 4)
    const [critical] = await steadily([at('/guarded/pay')], 160)
    sent += critical.length
    await shed.stop()
    assert.equal(refused(critical).length, 0)
    // 200 callers at 80 a second would wait for two and a half seconds.
    const p99 = percentile(critical, 0.99)
    assert.ok(p99 < 1000, `critical p99 ${p99} ms`)
    assert.ok(refused(shed.seen).every(({ status }) => status === 503))
    assert.ok(refused(shed.seen).length > shed.seen.length / 2)
    await guarded.slowTo(jobMs)
  })

  await t.test('once it is quick again, nobody is refused any more', async () => {
    let tries = 1
    while (refused((await steadily([at('/guarded/feed')], 40))[0]).length > 0 && tries < 20) tries++
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
    assert.equal(counted('critical', 'refused'), 0)
    assert.equal(counted('critical', 'admitted'), sent)
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
