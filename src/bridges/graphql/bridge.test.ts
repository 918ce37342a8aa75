import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { exchangeOf } from '../../../test/support/exchange.ts'
import { Answer } from '../../core/answer.ts'
import type { Chunk, End } from '../../core/body.ts'
import { BytesBody, END, StreamBody, readAll } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import { Headers } from '../../core/headers.ts'
import { silentLog } from '../../core/log.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { silentMeter } from '../../core/meter.ts'
import type { Call, Service } from '../../core/service.ts'
import { Sweeper } from '../../core/sweeper.ts'
import { compileProtos } from '../descriptors/compile-protos.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { readDescriptors } from '../descriptors/descriptors.ts'
import { framed } from '../grpc/frames.ts'
import { createGraphqlBridge } from './bridge.ts'
import { standardLimits } from './options.ts'

async function described(methods: string): Promise<Descriptors> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-graphql-test-'))
  try {
    const text = `syntax = "proto3"; package a; enum E { NONE = 0; ONE = 1; } message M { string name = 1; E kind = 2; double real = 3; }
      service S { ${methods} }`
    writeFileSync(join(folder, 'a.proto'), text)
    return readDescriptors((await compileProtos([join(folder, 'a.proto')], folder)).set!)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const get = 'rpc Get(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; }'
const old = await described(get)
const newer = await described(
  `${get} rpc Find(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; } rpc Watch(M) returns (stream M);`,
)

/** The frames of an answer, and OK behind them. */
class Frames extends StreamBody {
  readonly #next: () => Promise<Chunk | End>

  constructor(next: () => Promise<Chunk | End>) {
    super(undefined)
    this.#next = next
  }

  trailers(): Headers {
    return Headers.from([['grpc-status', '0']])
  }

  protected read(): Promise<Chunk | End> {
    return this.#next()
  }

  protected stop(): void {}
}

function grpcAnswer(message: Buffer, metadata: [string, string][] = []): Answer {
  const pieces: (Chunk | End)[] = [framed(message), END]
  const headers = Headers.from([['content-type', 'application/grpc'], ...metadata])
  return new Answer(200, headers, new Frames(() => Promise.resolve(pieces.shift() ?? END)))
}

const text = async (answer: Promise<Answer>): Promise<string> => (await readAll((await answer).body, 1_000_000)).toString()

function scene(upstream: Service) {
  const clock = new ManualClock()
  const descriptors: { current: Descriptors | undefined } = { current: newer }
  const env = {
    service: 's',
    descriptors,
    maxMessageBytes: 1_000_000,
    clock,
    sweeper: new Sweeper(clock),
    log: silentLog,
    meter: silentMeter,
  }
  const bridge = createGraphqlBridge(env, {
    introspection: false,
    statusCodes: '2025',
    methods: [],
    limits: standardLimits,
    persisted: undefined,
    takesAll: true,
  })
  const ask = async (query: string, accept = 'application/json', method = 'POST'): Promise<Answer> => {
    const target = method === 'GET' ? `/graphql?query=${encodeURIComponent(query)}` : '/graphql'
    const x = exchangeOf({ method, target, headers: ['accept', accept, 'content-type', 'application/json'] })
    const body = new BytesBody(method === 'GET' ? Buffer.alloc(0) : Buffer.from(JSON.stringify({ query })))
    const call: Call = { method, target, authority: undefined, headers: x.headers, body, upgrade: undefined, headBy: Infinity }
    return bridge.answer(call, x, upstream)
  }
  return { ask, descriptors, clock }
}

const named = Buffer.from([0x0a, 1, 0x61])

suite('the bridge graphql', () => {
  test('the schema is that of the descriptors as they stand; before there are any it answers as a service that is away', async () => {
    const { ask, descriptors } = scene(() => grpcAnswer(named))
    descriptors.current = undefined
    await assert.rejects(ask('{ get { name } }'), (fault) => fault instanceof Fault && fault.code === 'no-target')
    descriptors.current = old
    assert.equal(await text(ask('{ get { name } }')), '{"data":{"get":{"name":"a"}}}')
    assert.match(await text(ask('{ find { name } }')), /GRAPHQL_VALIDATION_FAILED/)
    descriptors.current = newer
    assert.equal(await text(ask('{ find { name } }')), '{"data":{"find":{"name":"a"}}}')
  })

  test('values for which GraphQL has no word are null, and nothing else is lost for them', async () => {
    const odd = Buffer.from([0x10, 99, 0x19, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f])
    const { ask } = scene(() => grpcAnswer(odd))
    assert.equal(await text(ask('{ get { name kind real } }')), '{"data":{"get":{"name":"","kind":null,"real":null}}}')
  })

  test('what is no message, and what fails here, tells callers nothing of the inside', async () => {
    const broken = scene(() => grpcAnswer(Buffer.from([0x0a, 50, 1])))
    const told = await text(broken.ask('{ get { name } }'))
    assert.match(told, /"code":"UNAVAILABLE"/)
    assert.doesNotMatch(told, /message is no/)
    const buggy = scene(() => {
      throw new TypeError('secret of the inside')
    })
    const shown = await text(buggy.ask('{ get { name } }'))
    assert.match(shown, /"code":"INTERNAL"/)
    assert.doesNotMatch(shown, /secret/)
  })

  test('the answers to one operation are bounded together', async () => {
    const large = Buffer.concat([Buffer.from([0x0a, 0x80, 0x88, 0x26]), Buffer.alloc(623_616, 'x')])
    const { ask } = scene(() => grpcAnswer(large))
    const fields = Array.from({ length: 8 }, (_, i) => `a${i}: get(input: { name: "${i}" }) { kind }`).join(' ')
    const { data, errors } = JSON.parse(await text(ask(`{ ${fields} }`))) as {
      data: Record<string, unknown>
      errors: { extensions: object }[]
    }
    assert.equal(Object.values(data).filter((value) => value !== null).length, 6)
    assert.deepEqual(
      errors.map(({ extensions }) => extensions),
      [{ code: 'RESOURCE_EXHAUSTED' }, { code: 'RESOURCE_EXHAUSTED' }],
    )
  })

  test('an answer may be kept as long as all answers of its calls', async () => {
    const ages: Record<string, string> = { Get: 'max-age=60', Find: 'private, max-age=5' }
    const { ask } = scene((call) => {
      const age = ages[call.target.slice(call.target.lastIndexOf('/') + 1)]
      return grpcAnswer(named, [['cache-control', age]])
    })
    assert.equal((await ask('{ get { name } }', 'application/json', 'GET')).headers.get('cache-control'), 'max-age=60')
    const both = await ask('{ get { name } find { name } }', 'application/json', 'GET')
    assert.equal(both.headers.get('cache-control'), 'private, max-age=5')
    assert.equal(both.headers.get('vary'), 'accept')
    assert.equal((await ask('{ nothing }', 'application/json', 'GET')).headers.get('cache-control'), 'no-store')
  })

  test('a quiet subscription is kept alive, and nothing is pulled before it is asked for', async () => {
    const messages = [Promise.withResolvers<Chunk>(), Promise.withResolvers<Chunk>()]
    const pulls: number[] = []
    const begun = Promise.withResolvers<undefined>()
    const { ask, clock } = scene(() => {
      const headers = Headers.from([['content-type', 'application/grpc']])
      return new Answer(
        200,
        headers,
        new Frames(() => {
          begun.resolve(undefined)
          return messages[pulls.push(0) - 1].promise
        }),
      )
    })
    const { body } = await ask('subscription { watch { name } }', 'text/event-stream')
    assert.equal(pulls.length, 0)
    const first = body.pull()
    await begun.promise
    clock.advance(15_000)
    assert.equal(String(await first), ': \n\n')
    const second = body.pull()
    messages[0].resolve(framed(named))
    assert.equal(String(await second), 'event: next\ndata: {"data":{"watch":{"name":"a"}}}\n\n')
    assert.equal(pulls.length, 1)
    body.cancel(new Fault('client-left'))
  })
})
