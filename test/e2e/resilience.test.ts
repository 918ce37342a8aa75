import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RawClient } from '../support/raw-client.ts'
import type { RawService } from '../support/raw-service.ts'
import { okay, startRawService } from '../support/raw-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const config = readFileSync(new URL('resilience.yaml', import.meta.url), 'utf8')
const program = fileURLToPath(new URL('../support/target-process.mjs', import.meta.url))

interface TargetProcess {
  readonly child: ChildProcess
  readonly port: number
}

async function startTarget(t: TestContext, port = 0): Promise<TargetProcess> {
  const child = spawn(process.execPath, [program, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => void child.kill('SIGKILL'))
  const [text] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, port: Number(text.toString()) }
}

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: api.example.com\r\n${fields}\r\n`

async function gateway(t: TestContext, env: Record<string, string>, workers = 1): Promise<{ velum: VelumProcess; port: number }> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const absent = 'http://127.0.0.1:11'
  const velum = startVelum(t, ['run', '--workers', String(workers)], {
    folder: folder.path,
    env: { A: absent, B: 'http://127.0.0.1:12', C: 'http://127.0.0.1:13', GOOD: absent, BAD: 'http://127.0.0.1:12', ...env },
  })
  return { velum, port: Number(new URL((await readyListeners(velum))['web']).port) }
}

test('kill -9 of one of three targets under load fails no request; it leaves, and comes back by itself', async (t) => {
  const targets = await Promise.all([startTarget(t), startTarget(t), startTarget(t)])
  const [a, b, c] = targets.map(({ port }) => `http://127.0.0.1:${port}`)
  const { velum, port } = await gateway(t, { A: a, B: b, C: c }, 2)
  const answers = new Map<string, number>()
  const over = new AbortController()
  const clients = Array.from({ length: 12 }, async () => {
    const client = await RawClient.to(port)
    while (!over.signal.aborted) {
      client.send(get('/three/x'))
      const answer = await client.answer()
      const text = answer?.status === 200 ? answer.content : `status ${answer?.status}`
      answers.set(text, (answers.get(text) ?? 0) + 1)
    }
    client.close()
  })
  const answered = async (text: string, count: number): Promise<void> => {
    const wanted = (answers.get(text) ?? 0) + count
    while ((answers.get(text) ?? 0) < wanted) await new Promise((resolve) => setImmediate(resolve))
  }
  const victim = targets[1]
  await answered(String(victim.port), 50)
  victim.child.kill('SIGKILL')
  const [line] = await velum.printed(new RegExp(`^\\{.*127.0.0.1:${victim.port}".*a target fails and is left out.*\\}$`, 'm'))
  const { service, forMs, reason } = JSON.parse(line) as { service: string; forMs: number; reason: string }
  assert.deepEqual([service, forMs], ['three', 500])
  assert.match(reason, /^service-(?:refused|reset)$/)
  await answered(String(targets[0].port), 50)
  await startTarget(t, victim.port)
  await answered(String(victim.port), 50)
  over.abort()
  await Promise.all(clients)
  // Each time for twice as long as the time before.
  const told = velum.log().filter(({ target }) => target === `127.0.0.1:${victim.port}`)
  const outs = told.filter(({ msg }) => msg === 'a target fails and is left out').map(({ forMs: span }) => span)
  assert.deepEqual(
    outs,
    outs.map((_, i) => 500 * 2 ** i),
  )
  assert.deepEqual([...answers.keys()].sort(), targets.map((target) => String(target.port)).sort())
})

interface Row {
  readonly what: string
  readonly bad: (socket: Socket) => void
  /** What the clients of six requests see, by status; 0: an answer that broke off. */
  readonly saw: Record<number, number>
  /** Requests that the bad and the good target got. */
  readonly attempts: readonly [bad: number, good: number]
}

const unavailable = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'
const refuse = (socket: Socket): void => void socket.write(unavailable)

/** Every second request goes to the bad target first; each may be sent once more. */
const table: readonly Row[] = [
  // First, while no connection has rested: on one that has, the wire repeats the call by itself (RFC 9112 §9.3.1).
  { what: 'resets', bad: (socket) => void socket.resetAndDestroy(), saw: { 200: 6 }, attempts: [3, 6] },
  { what: 'accepts and never answers', bad: () => {}, saw: { 200: 6 }, attempts: [3, 6] },
  { what: 'answers 503', bad: refuse, saw: { 200: 6 }, attempts: [3, 6] },
  {
    what: 'answers and then stalls',
    bad: (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
    saw: { 0: 3, 200: 3 },
    attempts: [3, 3],
  },
  {
    what: 'answers 500, which may be about the call',
    bad: (socket) => void socket.write('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n'),
    saw: { 200: 3, 500: 3 },
    attempts: [3, 3],
  },
]

/** Requests that were no probes. */
function asked({ requests }: RawService): number {
  return requests.filter(({ head }) => !head.startsWith('GET /healthz ')).length
}

test('faults of targets', async (t) => {
  let bad = refuse
  const good = await startRawService((socket) => void socket.write(okay('good')))
  let isWell = true
  const ill = await startRawService((socket, { head }) => {
    if (!head.startsWith('GET /healthz ')) bad(socket)
    else socket.write(isWell ? okay('well') : unavailable)
  })
  t.after(() => Promise.all([good.close(), ill.close()]))
  const { velum, port } = await gateway(t, { GOOD: `http://127.0.0.1:${good.port}`, BAD: `http://127.0.0.1:${ill.port}` })
  const counted = async (run: () => Promise<void>): Promise<[bad: number, good: number]> => {
    const before = [asked(ill), asked(good)]
    await run()
    return [asked(ill) - before[0], asked(good) - before[1]]
  }
  const ask = async (path: string): Promise<number> => {
    const client = await RawClient.to(port)
    client.send(get(path))
    const answer = await client.answer()
    client.close()
    return answer?.status ?? 0
  }

  await t.test('a target that answers 503 is left out, and gets no more requests', async () => {
    const attempts = await counted(async () => {
      for (let i = 0; i < 20; i++) assert.equal(await ask('/sick/x'), 200)
    })
    assert.deepEqual(attempts, [2, 20])
  })

  await t.test('a storm of failures is answered by no more than a fifth of further tries', async () => {
    const offered = 200
    const [tries] = await counted(async () => {
      for (let i = 0; i < offered; i += 10) {
        const statuses = await Promise.all(Array.from({ length: 10 }, () => ask('/storm/x')))
        assert.ok(statuses.every((status) => status === 503))
      }
    })
    assert.ok(tries > offered && tries <= 1.2 * offered, `${tries} tries of ${offered} calls`)
  })

  await t.test('where no target can be reached the answer is 503 with Retry-After', async () => {
    const client = await RawClient.to(port)
    for (let i = 0; i < 12; i++) {
      client.send(get('/down'))
      const answer = await client.answer()
      assert.deepEqual([answer?.status, answer?.fields.get('retry-after')], [503, '1'])
    }
    client.close()
  })

  await t.test('a target whose probes fail gets no requests until they succeed again', async () => {
    bad = (socket) => void socket.write(okay('bad'))
    isWell = false
    await velum.printed(/"probed".*a target is not well and is left out/)
    const six = async (): Promise<void> => {
      for (let i = 0; i < 6; i++) assert.equal(await ask('/probed/x'), 200)
    }
    // Main says it a moment before the last worker has heard it.
    while ((await counted(six))[0] > 0);
    assert.deepEqual(await counted(six), [0, 6])
    isWell = true
    await velum.printed(/"probed".*a target is well again/)
    while (ill.requests.every(({ head }) => !head.startsWith('GET /probed/'))) await ask('/probed/x')
  })

  for (const row of table) {
    await t.test(`of two targets one ${row.what}`, async () => {
      bad = row.bad
      const seen: Record<number, number> = {}
      const attempts = await counted(async () => {
        for (let i = 0; i < 6; i++) {
          const status = await ask('/fault/x')
          seen[status] = (seen[status] ?? 0) + 1
        }
      })
      assert.deepEqual({ seen, attempts }, { seen: row.saw, attempts: row.attempts })
    })
  }
})
