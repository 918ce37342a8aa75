import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { gatewayModel, listenerModel } from '../../test/support/gateway-model.ts'
import type { GatewayModel } from '../config/model.ts'
import { systemClock } from '../core/clock.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { ensureDevCertificate } from '../wire/tls/dev-certificate.ts'
import { startGateway } from './gateway.ts'
import type { Gateway } from './gateway.ts'
import { metricsText } from './metrics-text.ts'
import { Reloader } from './reloader.ts'

const entry = new URL('../../test/support/fixture-worker.ts', import.meta.url)

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'velum-gateway-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

async function started(t: TestContext, model: GatewayModel): Promise<Gateway> {
  const gateway = await startGateway({ model, workers: 1, entry, clock: systemClock, log: silentLog })
  t.after(() => gateway.stop({ delayMs: 0, idleMs: 0, deadlineMs: 1000 }))
  return gateway
}

const fingerprint = (socket: TLSSocket): string => socket.getPeerCertificate().fingerprint256
const text = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text()

test('ports that the machine chooses are the same for all workers and stay over reloads', async (t) => {
  const store = { kind: 'embedded', path: folder(t) } as const
  const gateway = await started(t, gatewayModel({ name: 'one', store }))
  const { port } = gateway.model.listeners[0]
  assert.ok(port > 0)
  assert.equal(await text(port), 'one 0')
  assert.equal(gateway.generation.number, 1)
  const more = [
    listenerModel(),
    listenerModel({ name: 'more' }),
    listenerModel({ name: 'redirect', redirectPort: 0, redirectListener: 'more' }),
  ]
  await gateway.replace(gatewayModel({ name: 'two', store, listeners: more }))
  assert.equal(gateway.model.listeners[0].port, port)
  assert.equal(gateway.model.listeners[2].redirectPort, gateway.model.listeners[1].port)
  assert.equal(await text(gateway.model.listeners[1].port), 'two 0')
  assert.equal(gateway.generation.number, 2)
})

test('a taken port is a fault of the environment that names the port, though port sharing would have opened it', async (t) => {
  const taken = createServer().listen({ port: 0, host: '127.0.0.1', reusePort: true })
  t.after(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const store = { kind: 'embedded', path: folder(t) } as const
  const model = gatewayModel({ store, listeners: [listenerModel({ port })] })
  await assert.rejects(startGateway({ model, workers: 1, entry, clock: systemClock, log: silentLog }), {
    name: 'EnvironmentFault',
    message: `listener "web": port ${port} on 127.0.0.1 is taken by another process`,
  })
})

test('a reload that fails anywhere changes nothing and is kept to be shown', async (t) => {
  const store = { kind: 'embedded', path: folder(t) } as const
  const first = { file: 'velum.config.ts', model: gatewayModel({ name: 'one', store }), findings: [], files: [] }
  const gateway = await started(t, first.model)
  let next: GatewayModel | undefined
  const finding = { severity: 'error', file: 'velum.config.ts', path: 'routes[0]', message: 'wrong', remedy: 'right' } as const
  const reloader = new Reloader({
    gateway,
    first,
    load: () => Promise.resolve({ ...first, model: next, findings: next === undefined ? [finding] : [] }),
    clock: systemClock,
    log: silentLog,
  })
  const { port } = gateway.model.listeners[0]
  assert.deepEqual([(await reloader.reload()).isCommitted, reloader.last.findings], [false, [finding]])
  next = gatewayModel({ name: 'uncompilable', store })
  assert.deepEqual([(await reloader.reload()).isCommitted, reloader.last.failure], [false, 'this cannot be compiled'])
  next = gatewayModel({ name: 'two', store, log: { format: 'json', file: '/nowhere/a.log', level: 'info' } })
  assert.match((await reloader.reload()).failure ?? '', /the access log cannot be opened/)
  assert.equal(await text(port), 'one 0')
  assert.equal(gateway.generation.number, 1)
  next = gatewayModel({ name: 'two', store })
  assert.equal((await reloader.reload()).isCommitted, true)
  assert.equal(await text(port), 'two 0')
  assert.match(metricsText(gateway.families()), /velum_reloads_total\{result="failed"\} 3/)
  assert.match(metricsText(gateway.families()), /velum_generation\{hash="hash of two"\} 2/)
  next = gatewayModel({ name: 'two', store, probes: { host: '127.0.0.1', port: 0 } })
  const { isCommitted, findings } = await reloader.reload()
  assert.deepEqual([isCommitted, findings.map(({ severity, path }) => `${severity} ${path}`)], [true, ['warning probes']])
})

test('reloads asked for during a reload become one, which sees what is there then', async (t) => {
  const store = { kind: 'embedded', path: folder(t) } as const
  const first = { file: 'velum.config.ts', model: gatewayModel({ name: 'one', store }), findings: [], files: [] }
  const gateway = await started(t, first.model)
  let loads = 0
  const reloader = new Reloader({
    gateway,
    first,
    load: () => Promise.resolve({ ...first, model: gatewayModel({ name: `load ${++loads}`, store }) }),
    clock: systemClock,
    log: silentLog,
  })
  const outcomes = await Promise.all([reloader.reload(), reloader.reload(), reloader.reload()])
  assert.equal(loads, 2)
  assert.equal(outcomes[1], outcomes[2])
  assert.equal(await text(gateway.model.listeners[0].port), 'load 2 0')
})

test('the access log goes to the file of the configuration, and to another one when that changes', async (t) => {
  const path = folder(t)
  const store = { kind: 'embedded', path } as const
  const model = (name: string, file: string): GatewayModel =>
    gatewayModel({ name, store, log: { format: 'json', file: join(path, file), level: 'info' } })
  const gateway = await startGateway({ model: model('one', 'a.log'), workers: 1, entry, clock: systemClock, log: silentLog })
  const { port } = gateway.model.listeners[0]
  await text(port)
  await gateway.replace(model('two', 'b.log'))
  await text(port)
  await gateway.stop({ delayMs: 0, idleMs: 0, deadlineMs: 1000 })
  const generations = (readFileSync(join(path, 'a.log'), 'utf8') + readFileSync(join(path, 'b.log'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { generation: string }).generation)
  assert.deepEqual(generations, ['hash of one', 'hash of two'])
})

test('a development certificate serves https, and its authority is named', async (t) => {
  const tls = { dev: true, devNames: [], certificates: [], minVersion: 'TLSv1.2' } as const
  const store = { kind: 'embedded', path: folder(t) } as const
  const gateway = await started(t, gatewayModel({ name: 'one', store, listeners: [listenerModel({ tls })] }))
  const ca = readFileSync(gateway.devAuthorityPath!, 'utf8')
  const socket = connect({ host: '127.0.0.1', port: gateway.model.listeners[0].port, servername: 'localhost', ca })
  await once(socket, 'secureConnect')
  socket.end('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*one 0$/)
})

test('replaced certificate files serve new handshakes, and no open connection falls', async (t) => {
  const path = folder(t)
  const makers = await Promise.all(['a', 'b'].map((name) => ensureDevCertificate(join(path, name), [], systemClock)))
  const cert = join(path, 'served.pem')
  const key = join(path, 'served.key')
  const place = (index: number): void => {
    writeFileSync(key, makers[index].key)
    writeFileSync(cert, makers[index].cert)
  }
  place(0)
  const tls = { dev: false, devNames: [], certificates: [{ cert, key, names: [] }], minVersion: 'TLSv1.2' } as const
  const gateway = await started(
    t,
    gatewayModel({ name: 'one', store: { kind: 'embedded', path }, listeners: [listenerModel({ tls })] }),
  )
  const { port } = gateway.model.listeners[0]
  const handshake = async (): Promise<TLSSocket> => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false })
    t.after(() => socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }
  const early = await handshake()
  const first = fingerprint(early)
  place(1)
  let late = await handshake()
  while (fingerprint(late) === first) {
    late.destroy()
    late = await handshake()
  }
  for (const socket of [early, late]) {
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.match(answer.toString(), /^HTTP\/1\.1 200 OK\r\n/)
  }
})

test('stopping turns readiness off first and ends everything after the delay', async (t) => {
  const store = { kind: 'embedded', path: folder(t) } as const
  const clock = new ManualClock()
  const gateway = await startGateway({ model: gatewayModel({ name: 'one', store }), workers: 1, entry, clock, log: silentLog })
  const { port } = gateway.model.listeners[0]
  assert.equal(gateway.isReady, true)
  const stopped = gateway.stop({ delayMs: 3000, idleMs: 0, deadlineMs: 1000 })
  assert.equal(gateway.isReady, false)
  assert.equal(await text(port), 'one 0')
  clock.advance(3000)
  await stopped
  assert.deepEqual(gateway.workers, [])
  await assert.rejects(text(port))
  await assert.rejects(gateway.replace(gatewayModel({ store })), /stopping/)
})

test('the metrics of the node are there beside those of its workers', async (t) => {
  const gateway = await started(t, gatewayModel({ store: { kind: 'embedded', path: folder(t) } }))
  await text(gateway.model.listeners[0].port)
  const metrics = metricsText(gateway.families())
  for (const name of [
    'velum_workers 1',
    'velum_fixture_requests_total 1',
    'velum_connections_total{listener="web"} 1',
    'process_cpu_seconds_total ',
    'process_resident_memory_bytes ',
    'velum_worker_busy_ratio{worker="0"} ',
  ]) {
    assert.ok(metrics.includes(`\n${name}`), name)
  }
})
