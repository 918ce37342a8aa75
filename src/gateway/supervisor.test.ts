import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { gatewayModel, listenerModel } from '../../test/support/gateway-model.ts'
import type { GatewayModel } from '../config/model.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { allocateLimitTable } from '../limits/limit-table.ts'
import { MainHub } from './link.ts'
import type { GenerationOrder } from './messages.ts'
import { beatsOf, metricsBytes, metricsRow, RowMeter } from './meter-row.ts'
import { MeterTotals } from './meter-totals.ts'
import { metricsText } from './metrics-text.ts'
import { probePort } from './ports.ts'
import { Supervisor, workerNumbers } from './supervisor.ts'

const entry = new URL('../../test/support/fixture-worker.ts', import.meta.url)

interface Fleet {
  readonly supervisor: Supervisor
  readonly clock: ManualClock
  readonly hub: MainHub
  readonly port: number
  readonly lines: string[]
  readonly logged: string[]
  readonly gone: number[]
  readonly rows: readonly Float64Array[]
  order(name: string, over?: Partial<GatewayModel>): GenerationOrder
  metrics(): string
}

async function fleet(t: TestContext, workers: number): Promise<Fleet> {
  const clock = new ManualClock()
  const numbers = workerNumbers(workers)
  const shared = {
    limits: allocateLimitTable({ maxKeys: 64, workers: numbers }, clock),
    metrics: new SharedArrayBuffer(metricsBytes(numbers)),
  }
  const totals = new MeterTotals()
  const row = new Float64Array(256)
  const hub = new MainHub(() => {})
  const lines: string[] = []
  const logged: string[] = []
  const gone: number[] = []
  const say = (message: string): void => void logged.push(message)
  const supervisor = new Supervisor({
    workers,
    entry,
    shared,
    reusePort: true,
    clock,
    log: { debug: say, info: say, warn: say, error: say },
    meter: new RowMeter(row, (entries) => totals.announce(-1, row, entries)),
    totals,
    hub,
    lines: (bytes, settled) => {
      lines.push(...Buffer.from(bytes).toString().trimEnd().split('\n'))
      settled()
    },
    gone: (worker) => void gone.push(worker),
    beatMs: 20,
    missedBeats: 5,
    missedBeatsAtStart: 1_000_000,
  })
  t.after(() => supervisor.close())
  const port = await probePort('127.0.0.1', 0, 'test')
  return {
    supervisor,
    clock,
    hub,
    port,
    lines,
    logged,
    gone,
    rows: Array.from({ length: numbers }, (_, worker) => metricsRow(shared.metrics, worker)),
    order: (name, over = {}) => ({
      model: gatewayModel({ name, store: { kind: 'embedded', path: '/nowhere' }, listeners: [listenerModel({ port })], ...over }),
      tls: new Map(),
      ticketKeys: new Uint8Array(48),
    }),
    metrics: () => metricsText(totals.families()),
  }
}

interface Got {
  readonly status: number
  readonly text: string
}

/** One request on a connection of its own, unless `agent` says otherwise. */
function get(port: number, path: string, agent: Agent | false = false): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Lets the event loop turn until something is so. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

const serving = ({ supervisor }: Fleet): number[] =>
  supervisor.workers.filter(({ state }) => state === 'serving').map(({ number }) => number)

test('all workers serve one port, and their counts are one sum', async (t) => {
  const f = await fleet(t, 2)
  await f.supervisor.start(f.order('one'))
  const seen = new Set<string>()
  // The kernel spreads connections by their port: with enough of them both workers get some.
  for (let i = 0; i < 200 && seen.size < 2; i++) seen.add((await get(f.port, '/')).text)
  assert.deepEqual([...seen].sort(), ['one 0', 'one 1'])
  const counted = /^velum_fixture_requests_total (\d+)$/m.exec(f.metrics())
  assert.ok(Number(counted?.[1]) >= 2)
})

test('a configuration that cannot be compiled keeps the gateway from starting, and leaves no thread', async (t) => {
  const f = await fleet(t, 2)
  await assert.rejects(f.supervisor.start(f.order('uncompilable')), /^Error: this cannot be compiled$/)
  assert.deepEqual(f.supervisor.workers, [])
})

test('a reload is served by all; one that fails changes nothing', async (t) => {
  const f = await fleet(t, 2)
  await f.supervisor.start(f.order('one'))
  await assert.rejects(f.supervisor.reload(f.order('uncompilable')), /this cannot be compiled/)
  for (let i = 0; i < 20; i++) assert.match((await get(f.port, '/')).text, /^one/)
  await f.supervisor.reload(f.order('two'))
  for (let i = 0; i < 20; i++) assert.match((await get(f.port, '/')).text, /^two/)
})

test('a port that a failed reload opened is closed again; one that a reload drops is closed', async (t) => {
  const f = await fleet(t, 2)
  await f.supervisor.start(f.order('one'))
  const extra = await probePort('127.0.0.1', 0, 'test')
  const both = [listenerModel({ port: f.port }), listenerModel({ name: 'more', port: extra })]
  await assert.rejects(f.supervisor.reload(f.order('uncompilable', { listeners: both })))
  await assert.rejects(get(extra, '/'), { code: 'ECONNREFUSED' })
  await f.supervisor.reload(f.order('two', { listeners: both }))
  assert.match((await get(extra, '/')).text, /^two/)
  await f.supervisor.reload(f.order('three'))
  await assert.rejects(get(extra, '/'), { code: 'ECONNREFUSED' })
  assert.match((await get(f.port, '/')).text, /^three/)
})

test('reloads under keep-alive load fail no request', async (t) => {
  const f = await fleet(t, 2)
  await f.supervisor.start(f.order('gen 0'))
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  t.after(() => agent.destroy())
  const over = new AbortController()
  let requests = 0
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { status, text } = await get(f.port, '/', agent)
      assert.equal(status, 200)
      assert.match(text, /^gen \d+ [01]$/)
      requests++
    }
  }
  const clients = Array.from({ length: 16 }, client)
  for (let i = 1; i <= 10; i++) {
    const before = requests
    await f.supervisor.reload(f.order(`gen ${i}`))
    await until(() => requests > before + 50)
  }
  over.abort()
  await Promise.all(clients)
  assert.match((await get(f.port, '/')).text, /^gen 10/)
})

test('an exchange that began before a reload is answered by the configuration that it began with', async (t) => {
  const f = await fleet(t, 1)
  let waiting = 0
  f.hub.hear('fixture/waiting', () => waiting++)
  await f.supervisor.start(f.order('one'))
  const slow = get(f.port, '/wait')
  await until(() => waiting === 1)
  await f.supervisor.reload(f.order('two'))
  assert.match((await get(f.port, '/')).text, /^two/)
  f.hub.tellAll('fixture/go', undefined)
  assert.equal((await slow).text, 'one waited')
})

test('a worker that dies is replaced with what was last committed, and its counts are kept', async (t) => {
  const f = await fleet(t, 1)
  await f.supervisor.start(f.order('one'))
  await f.supervisor.reload(f.order('two'))
  await get(f.port, '/')
  await assert.rejects(get(f.port, '/die'))
  await until(() => f.gone.length === 1 && serving(f).length === 1)
  assert.match((await get(f.port, '/')).text, /^two/)
  await until(() => /^velum_fixture_requests_total 3$/m.test(f.metrics()))
  assert.match(f.metrics(), /^velum_worker_losses_total\{reason="died"\} 1$/m)
  assert.ok(f.logged.includes('a worker died'))
})

test('a worker whose loop is blocked is replaced; the one beside it is left alone', async (t) => {
  const f = await fleet(t, 2)
  await f.supervisor.start(f.order('one'))
  const blocked = get(f.port, '/block').then(
    () => assert.fail('a blocked worker answered'),
    () => undefined,
  )
  // Whoever took the request beats no more; the other one goes on beating, and time moves with its beats.
  const before = f.rows.map(beatsOf)
  await until(() => f.rows.some((row, i) => beatsOf(row) > before[i] + 20))
  while (f.gone.length === 0) {
    const beats = f.rows.map(beatsOf)
    await until(() => f.rows.some((row, i) => beatsOf(row) > beats[i]) || f.gone.length > 0)
    f.clock.advance(20)
  }
  await blocked
  await until(() => serving(f).length === 2)
  assert.equal(f.gone.length, 1)
  assert.match(f.metrics(), /^velum_worker_losses_total\{reason="hung"\} 1$/m)
  for (let i = 0; i < 20; i++) assert.match((await get(f.port, '/')).text, /^one/)
})

test('that all have heard is said once all have, and not of one whose loop is blocked', async (t) => {
  const f = await fleet(t, 2)
  assert.equal(await f.supervisor.heard(1000), true, 'none serves, so none has to hear')
  await f.supervisor.start(f.order('one'))
  assert.equal(await f.supervisor.heard(1000), true)
  const before = f.rows.map(beatsOf)
  const blocked = get(f.port, '/block').catch(String)
  await until(() => f.rows.some((row, i) => beatsOf(row) > before[i] + 20))
  const late = f.supervisor.heard(1000)
  f.clock.advance(1000)
  assert.equal(await late, false)
  // Whoever is given up need not hear any more.
  const over = f.supervisor.heard(1_000_000)
  await f.supervisor.close()
  assert.equal(await over, true)
  await blocked
})

test('a worker in which something was thrown that nobody caught serves on until its successor does', async (t) => {
  const f = await fleet(t, 1)
  let waiting = 0
  f.hub.hear('fixture/waiting', () => waiting++)
  await f.supervisor.start(f.order('one'))
  const slow = get(f.port, '/wait')
  await until(() => waiting === 1)
  assert.equal((await get(f.port, '/throw')).text, 'thrown soon')
  await until(() => serving(f).includes(1))
  // A connection that the kernel gave to the first one as it closed its port is reset; a client tries again.
  let text = ''
  while (text !== 'one 1') text = await get(f.port, '/').then((got) => got.text, String)
  f.hub.tellAll('fixture/go', undefined)
  assert.equal((await slow).text, 'one waited')
  await until(() => f.gone.includes(0))
  assert.match(f.metrics(), /^velum_worker_losses_total\{reason="faulty"\} 1$/m)
})

test('workers that are lost again and again are replaced ever later', async (t) => {
  const f = await fleet(t, 1)
  await f.supervisor.start(f.order('one'))
  await assert.rejects(get(f.port, '/die'))
  await until(() => f.gone.length === 1 && serving(f).length === 1)
  await assert.rejects(get(f.port, '/die'))
  await until(() => f.logged.includes('workers are lost too often: the next one waits'))
  assert.deepEqual(f.supervisor.workers, [])
  f.clock.advance(99)
  assert.deepEqual(f.supervisor.workers, [])
  f.clock.advance(1)
  await until(() => serving(f).length === 1)
  assert.match((await get(f.port, '/')).text, /^one/)
})

test('a configuration whose compiling ends the thread is refused, and the one before comes back', async (t) => {
  const f = await fleet(t, 2)
  await f.supervisor.start(f.order('one'))
  await assert.rejects(f.supervisor.reload(f.order('deadly')), /died: the thread ended with code 7/)
  await until(() => serving(f).length === 2)
  for (let i = 0; i < 10; i++) assert.match((await get(f.port, '/')).text, /^one/)
})

test('draining answers what is under way, closes idle connections, and leaves no thread and no port', async (t) => {
  const f = await fleet(t, 2)
  let waiting = 0
  f.hub.hear('fixture/waiting', () => waiting++)
  await f.supervisor.start(f.order('one'))
  // Idle after an answer: a connection that no worker has taken yet would be reset when the port closes.
  const idle = connect(f.port, '127.0.0.1')
  idle.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(idle, 'data')
  const slow = get(f.port, '/wait')
  await until(() => waiting === 1)
  const drained = f.supervisor.drain({ idleMs: 100, deadlineMs: 10_000 })
  idle.resume()
  await once(idle, 'end')
  f.hub.tellAll('fixture/go', undefined)
  assert.equal((await slow).text, 'one waited')
  await drained
  assert.deepEqual(f.supervisor.workers, [])
  await assert.rejects(get(f.port, '/'), { code: 'ECONNREFUSED' })
})

test('a connection that does not end is cut at the deadline', async (t) => {
  const f = await fleet(t, 1)
  let waiting = 0
  f.hub.hear('fixture/waiting', () => waiting++)
  await f.supervisor.start(f.order('one'))
  const slow = get(f.port, '/wait').then(
    () => 'answered',
    () => 'cut',
  )
  await until(() => waiting === 1)
  const drained = f.supervisor.drain({ idleMs: 100, deadlineMs: 5000 })
  f.clock.advance(5000)
  await drained
  assert.equal(await slow, 'cut')
  assert.ok(f.logged.includes('connections were still open at the deadline and are cut'))
})

test('lines of the access log reach main before the worker ends', async (t) => {
  const f = await fleet(t, 1)
  const log = { format: 'json', file: 'stdout', level: 'info' } as const
  await f.supervisor.start(f.order('one', { log }))
  await get(f.port, '/')
  await f.supervisor.drain({ idleMs: 100, deadlineMs: 10_000 })
  assert.equal(f.lines.length, 1)
  assert.equal((JSON.parse(f.lines[0]) as { path: string }).path, '/')
})

test('a worker gets answers from main', async (t) => {
  const f = await fleet(t, 1)
  f.hub.answer('fixture/ask', (worker) => `main answers worker ${String(worker)}`)
  await f.supervisor.start(f.order('one'))
  assert.equal((await get(f.port, '/ask')).text, 'main answers worker 0')
})

test('draining under keep-alive load fails no request that was sent', async (t) => {
  const f = await fleet(t, 2)
  await f.supervisor.start(f.order('one'))
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  t.after(() => agent.destroy())
  let answered = 0
  const failures: string[] = []
  const client = async (): Promise<void> => {
    for (;;) {
      try {
        assert.equal((await get(f.port, '/', agent)).status, 200)
        answered++
      } catch (thrown) {
        // Nobody listens any more: the end of this client. Anything else would be a request that was lost.
        const { code = String(thrown) } = thrown as NodeJS.ErrnoException
        if (code !== 'ECONNREFUSED') failures.push(code)
        return
      }
    }
  }
  const clients = Array.from({ length: 32 }, client)
  await until(() => answered > 500)
  const drained = f.supervisor.drain({ idleMs: 100, deadlineMs: 10_000 })
  await Promise.all(clients)
  await drained
  assert.deepEqual(failures, [])
})
