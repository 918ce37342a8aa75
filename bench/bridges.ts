import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BridgePeer } from './peers/bridge-peers.ts'
import { bareHttp2, connectNode, grpcJs, velumBridge, yoga } from './peers/bridge-peers.ts'
import { startGrpcUpstream } from './peers/grpc-upstream.ts'
import type { BenchOptions } from './run.ts'
import { framedMessages, itemBytes, itemJson, noteBytes, readBenchTypes, writeBenchTypes } from './support/bench-messages.ts'
import { interleaved } from './support/interleaved.ts'
import type { Running } from './support/processes.ts'
import { cpuMicros, freePort, residentBytes } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { median, table } from './support/table.ts'
import { runWrk } from './support/wrk.ts'

const gatewayCore = '0'
const clientCore = '1'
const connections = 32
const notesPerStream = 10_000
const warmingSockets = 1000
const idleSockets = 4000
const script = (name: string): string => join(import.meta.dirname, `wrk/${name}.lua`)

interface Started {
  readonly peer: BridgePeer
  readonly running: Running
  readonly port: number
}

/** How a contender is asked. */
interface Question {
  readonly path: string
  readonly script: string
  readonly scriptArgs?: readonly string[]
  /** Default: 32. */
  readonly connections?: number
}

interface Sample {
  readonly requestsPerSecond: number
  readonly requests: number
  readonly cpuMicros: number
  readonly rssBytes: number
  readonly errors: number
}

/** JSON and GraphQL to gRPC beside what else does it in Node.js, streams to NDJSON, and what an idle WebSocket holds. */
export async function benchBridges(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
  try {
    const set = join(folder, 'bench.binpb')
    await writeBenchTypes(set)
    const types = readBenchTypes(readFileSync(set))
    const grpcPort = await freePort()
    const frames = {
      '/bench.v1.Bench/Get': framedMessages([itemBytes(types)]),
      '/bench.v1.Bench/Watch': framedMessages(Array.from({ length: notesPerStream }, () => noteBytes(types))),
    }
    started.push(await startGrpcUpstream(join(folder, 'service'), grpcPort, clientCore, frames))
    const contents = { json: join(folder, 'item.json'), graphql: join(folder, 'query.json') }
    writeFileSync(contents.json, JSON.stringify(itemJson))
    const query = `{ get(input: { id: "${itemJson.id}" }) { id title price weight available updated tags place { shelf level } } }`
    writeFileSync(contents.graphql, JSON.stringify({ query }))
    const start = async (peer: BridgePeer, behind = grpcPort): Promise<Started> => {
      const port = await freePort()
      const own = join(folder, peer.name.replaceAll(/\W+/g, '-'))
      const running = await peer.start({ port, grpcPort: behind, cores: gatewayCore, folder: own, set })
      started.push(running)
      return { peer, running, port }
    }
    const results: Record<string, unknown> = {}
    const scenarios = [
      {
        name: 'JSON to gRPC',
        peers: [bareHttp2, velumBridge('json'), grpcJs, connectNode],
        path: '/v1/items',
        content: contents.json,
      },
      { name: 'GraphQL to gRPC', peers: [yoga, velumBridge('graphql')], path: '/graphql', content: contents.graphql },
    ]
    for (const { name, peers, path, content } of scenarios.filter((one) => options.matches(one.name, options.scenario))) {
      const contenders: Started[] = []
      for (const peer of peers) contenders.push(await start(peer))
      results[name] = await compare(name, contenders, { path, script: script('content'), scriptArgs: [content] }, options)
      for (const { running } of contenders) await running.stop()
    }
    if (options.matches('streams', options.scenario)) {
      const velum = await start(velumBridge('json'))
      results['streams'] = await streams(velum, options)
      await velum.running.stop()
    }
    if (options.matches('idle WebSockets', options.scenario))
      results['idle WebSockets'] = await idle((port) => start(velumBridge('json'), port))
    saveResults('bridges', { seconds: options.seconds, rounds: options.rounds, connections }, results)
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    if (process.env['VELUM_BENCH_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true })
    else console.log(`kept: ${folder}`)
  }
}

async function compare(name: string, contenders: readonly Started[], question: Question, options: BenchOptions): Promise<unknown> {
  const samples = await interleaved(contenders, options, (contender) => load(contender, question, options.seconds))
  const measure = samples.get(contenders[0])!
  const results = contenders.map((contender) => {
    const rounds = samples.get(contender)!
    return { peer: contender.peer.name, rounds, ratio: median(rounds.map((s, i) => s.cpuMicros / measure[i].cpuMicros)) }
  })
  const rows = results.map(({ peer, ratio, rounds }) => [
    peer,
    Math.round(median(rounds.map((s) => s.requestsPerSecond))).toLocaleString('en'),
    median(rounds.map((s) => s.cpuMicros)).toFixed(1),
    ratio.toFixed(2),
    (Math.max(...rounds.map((s) => s.rssBytes)) / 1_048_576).toFixed(0),
    String(rounds.reduce((sum, s) => sum + s.errors, 0)),
  ])
  const head = ['', 'requests/s', 'CPU µs/request', `× ${contenders[0].peer.name}`, 'RSS MiB', 'errors']
  console.log(`\n${name}\n${table(head, rows)}`)
  return results
}

async function load({ running, port }: Started, question: Question, seconds: number): Promise<Sample> {
  const before = cpuMicros(running.pid)
  const { path, ...how } = question
  const url = `http://127.0.0.1:${port}${path}`
  const result = await runWrk({ url, seconds, connections, cores: clientCore, ...how })
  return {
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    cpuMicros: (cpuMicros(running.pid) - before) / result.requests,
    rssBytes: residentBytes(running.pid),
    errors: result.errors,
  }
}

/** Messages of 100 bytes from a stream of gRPC to lines of JSON: as many as one core turns over in a second. */
async function streams(velum: Started, options: BenchOptions): Promise<unknown> {
  const question = { path: '/v1/notes', script: script('ndjson'), connections: 4 }
  await load(velum, question, options.seconds * 2)
  const rates: number[] = []
  for (let round = 0; round < options.rounds; round++) {
    const { cpuMicros: perStream, errors } = await load(velum, question, options.seconds)
    if (errors > 0) throw new Error(`${errors} streams of the bench failed`)
    rates.push((notesPerStream * 1e6) / perStream)
  }
  const rate = median(rates)
  console.log(`\nServer streams to NDJSON: ${Math.round(rate).toLocaleString('en')} messages of 100 B per second and core`)
  return { messagesPerSecondAndCore: rate, rates }
}

/** What a WebSocket holds that waits on a method of both streams. */
async function idle(start: (grpcPort: number) => Promise<Started>): Promise<unknown> {
  const service = createServer().listen(0, '127.0.0.1')
  service.on('stream', (stream) => stream.on('error', () => {}))
  await once(service, 'listening')
  const { running, port } = await start((service.address() as AddressInfo).port)
  const sockets: Socket[] = []
  const open = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) sockets.push(await openWebSocket(port))
  }
  try {
    // What is allocated once (a young generation as large as it gets, for one) is not what is asked about.
    await open(warmingSockets)
    const before = residentBytes(running.pid)
    await open(idleSockets)
    const bytes = (residentBytes(running.pid) - before) / idleSockets
    console.log(`\nAn idle bridged WebSocket: ${(bytes / 1024).toFixed(1)} KiB`)
    return { bytes, sockets: idleSockets }
  } finally {
    for (const socket of sockets) socket.destroy()
    service.close()
  }
}

async function openWebSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.write(
    [
      'GET /bench.v1.Bench/Talk HTTP/1.1',
      'Host: bench.example',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: velum.grpc.json.v1',
      '',
      '',
    ].join('\r\n'),
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString().startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${head.toString().slice(0, 300)}`)
  return socket
}
