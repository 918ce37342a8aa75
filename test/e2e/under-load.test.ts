import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const config = readFileSync(new URL('under-load.yaml', import.meta.url), 'utf8')

/** A service that answers each request with the number it was sent. */
async function upstream(t: TestContext): Promise<{ url: string; seen: Map<string, number> }> {
  const seen = new Map<string, number>()
  const server = createServer((req, res) => {
    const number = req.url ?? ''
    seen.set(number, (seen.get(number) ?? 0) + 1)
    res.end(number)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

interface Load {
  readonly answered: number
  readonly failures: readonly string[]
  readonly editions: ReadonlySet<string>
  /** Ends when nobody listens any more, or when told to. */
  stop(): void
  readonly ended: Promise<unknown>
}

/** Clients that ask without pause over keep-alive connections; every answer must be the right one. */
function load(t: TestContext, url: string, clients: number): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  t.after(() => agent.destroy())
  const { hostname, port } = new URL(url)
  const failures: string[] = []
  const editions = new Set<string>()
  const over = new AbortController()
  let answered = 0
  let asked = 0
  const ask = (path: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path, agent }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode !== 200 || text !== path) failures.push(`${response.statusCode} ${text} for ${path}`)
          editions.add(String(response.headers['x-edition']))
          answered++
          resolve()
        })
      })
      sent.on('error', reject)
      sent.end()
    })
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      try {
        await ask(`/${++asked}`)
      } catch (thrown) {
        const { code = String(thrown) } = thrown as NodeJS.ErrnoException
        if (code !== 'ECONNREFUSED') failures.push(code)
        return
      }
    }
  }
  const ended = Promise.all(Array.from({ length: clients }, client))
  return {
    get answered() {
      return answered
    },
    failures,
    editions,
    stop: () => over.abort(),
    ended,
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

async function replacements(velum: VelumProcess, count: number): Promise<void> {
  await velum.printed(new RegExp(`(?:"msg":"the configuration was replaced"[^]*){${count}}`))
}

test('SIGHUP with a changed configuration under load fails no request', async (t) => {
  const folder = workFolder(t)
  const { url, seen } = await upstream(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env: { UPSTREAM: url } })
  const clients = load(t, (await readyListeners(velum))['web'], 16)
  for (let reload = 1; reload <= 3; reload++) {
    const before = clients.answered
    await until(() => clients.answered > before + 200)
    folder.write('velum.config.yaml', config.replace('first', `reload-${reload}`))
    velum.kill('SIGHUP')
    await replacements(velum, reload)
  }
  const before = clients.answered
  await until(() => clients.answered > before + 200)
  clients.stop()
  await clients.ended
  assert.deepEqual(clients.failures, [])
  assert.deepEqual([...clients.editions].sort(), ['first', 'reload-1', 'reload-2', 'reload-3'])
  assert.ok(
    [...seen.values()].every((times) => times === 1),
    'one request in, one request out',
  )
})

test('a changed listener under load fails no request either', async (t) => {
  const folder = workFolder(t)
  const { url } = await upstream(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env: { UPSTREAM: url } })
  const clients = load(t, (await readyListeners(velum))['web'], 16)
  await until(() => clients.answered > 200)
  folder.write('velum.config.yaml', config.replace('host: 127.0.0.1', 'host: 127.0.0.1, maxHeadBytes: 32kb'))
  velum.kill('SIGHUP')
  await replacements(velum, 1)
  const before = clients.answered
  await until(() => clients.answered > before + 500)
  clients.stop()
  await clients.ended
  assert.deepEqual(clients.failures, [])
})

test('SIGTERM under load fails no request and is exit 0', async (t) => {
  const folder = workFolder(t)
  const { url, seen } = await upstream(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '2', '--shutdown-delay', '50ms'], {
    folder: folder.path,
    env: { UPSTREAM: url },
  })
  const clients = load(t, (await readyListeners(velum))['web'], 16)
  await until(() => clients.answered > 500)
  velum.kill('SIGTERM')
  await clients.ended
  assert.equal((await velum.ended).code, 0)
  assert.deepEqual(clients.failures, [])
  assert.ok(
    [...seen.values()].every((times) => times === 1),
    'one request in, one request out',
  )
})

test('a streamed answer goes on over a reload, whatever its service does meanwhile', async (t) => {
  const folder = workFolder(t)
  let answer: ServerResponse | undefined
  const server = createServer((_, res) => {
    answer = res
    res.write('one')
  }).listen(0, '127.0.0.1')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  folder.write('velum.config.yaml', config)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env: { UPSTREAM: url } })
  const { web } = await readyListeners(velum)
  const sent = request(web, { agent: false })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  t.after(() => response.destroy())
  const next = async (): Promise<string> => String(((await once(response, 'data')) as [Buffer])[0])
  assert.equal(await next(), 'one')
  folder.write('velum.config.yaml', config.replace('first', 'second'))
  velum.kill('SIGHUP')
  await replacements(velum, 1)
  answer!.write('two')
  assert.equal(await next(), 'two')
})
