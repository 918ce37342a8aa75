import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { after, before, describe, it } from 'node:test'
import { startBilling } from './billing.ts'
import type { DemoService } from './demo-service.ts'
import { Billing, InvoiceEvent_Kind, InvoiceStatus } from './gen/billing_pb.js'

type Methods = (typeof Billing)['method']

interface Call {
  readonly stream: ClientHttp2Stream
  send(bytes: Uint8Array): void
}

let service: DemoService
let session: ClientHttp2Session

before(async () => {
  service = await startBilling(0)
  session = connect(service.url.replace('grpc', 'http'))
})
after(() => {
  session.destroy()
  return service.close()
})

function open(path: string, headers: Record<string, string> = {}): Call {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  return {
    stream,
    send(bytes) {
      const head = Buffer.alloc(5)
      head.writeUInt32BE(bytes.length, 1)
      stream.write(Buffer.concat([head, bytes]))
    },
  }
}

/** The messages of a call and its status, from trailers or from the head alone. */
async function finish<O extends DescMessage>(
  stream: ClientHttp2Stream,
  type: O,
): Promise<{ messages: MessageShape<O>[]; status: number; message: string }> {
  let trailers: Record<string, string | string[] | number | undefined> = {}
  stream.on('response', (headers) => (trailers = { ...trailers, ...headers }))
  stream.on('trailers', (headers) => (trailers = { ...trailers, ...headers }))
  let bytes = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes = Buffer.concat([bytes, chunk])
  const messages: MessageShape<O>[] = []
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt32BE(at + 1)) {
    messages.push(fromBinary(type, bytes.subarray(at + 5, at + 5 + bytes.readUInt32BE(at + 1))))
  }
  return { messages, status: Number(trailers['grpc-status']), message: decodeURIComponent(String(trailers['grpc-message'] ?? '')) }
}

async function call<M extends keyof Methods>(
  name: M,
  requests: MessageInitShape<Methods[M]['input']>[],
  headers?: Record<string, string>,
) {
  const method: { name: string; input: DescMessage; output: Methods[M]['output'] } = Billing.method[name]
  const opened = open(`/billing.v1.Billing/${method.name}`, headers)
  for (const request of requests) opened.send(toBinary(method.input, create(method.input, request)))
  opened.stream.end()
  return finish(opened.stream, method.output)
}

describe('billing over gRPC', () => {
  it('answers a unary call', async () => {
    const { messages, status } = await call('getInvoice', [{ invoiceId: 'inv-2001' }])
    assert.equal(status, 0)
    assert.equal(messages[0].customerId, 'acme')
    assert.equal(messages[0].total?.minorUnits, 283_400n)
    assert.equal(messages[0].status, InvoiceStatus.PAID)
  })

  it('says what went wrong by status', async () => {
    assert.deepEqual(await call('getInvoice', [{ invoiceId: 'none' }]), { messages: [], status: 5, message: 'no such invoice' })
    assert.equal((await call('createInvoice', [{}])).status, 3)
    assert.equal((await call('payInvoice', [{ invoiceId: 'inv-2001', method: { case: 'iban', value: 'x' } }])).status, 9)
    assert.equal((await call('payInvoice', [{ invoiceId: 'inv-2002' }])).status, 3)
    assert.equal((await call('getInvoice', [])).status, 12)
    assert.equal((await call('getInvoice', [{}, {}])).status, 12)
    const stranger = open('/billing.v1.Billing/Nothing')
    stranger.stream.end()
    assert.equal((await finish(stranger.stream, Billing.method.getInvoice.output)).status, 12)
  })

  it('pages through a list, newest first', async () => {
    const first = (await call('listInvoices', [{ pageSize: 2 }])).messages[0]
    assert.equal(first.invoices.length, 2)
    const second = (await call('listInvoices', [{ pageSize: 2, pageToken: first.nextPageToken }])).messages[0]
    assert.ok(second.invoices[0].invoiceId < first.invoices[1].invoiceId)
    const open2 = (await call('listInvoices', [{ customerId: 'globex', status: InvoiceStatus.VOID }])).messages[0]
    assert.deepEqual(
      open2.invoices.map(({ invoiceId }) => invoiceId),
      ['inv-2004'],
    )
    assert.equal((await call('listInvoices', [{ pageToken: 'forged' }])).status, 3)
  })

  it('streams what is there and then what happens', async () => {
    const { input, output } = Billing.method.watchInvoices
    const watch = open('/billing.v1.Billing/WatchInvoices')
    watch.send(toBinary(input, create(input, { customerId: 'hooli', limit: 2 })))
    watch.stream.end()
    const finished = finish(watch.stream, output)
    const lines = [{ description: 'Consulting', quantity: 8, unitPrice: { currencyCode: 'EUR', minorUnits: 12_000n } }]
    const { messages } = await call('createInvoice', [{ customerId: 'hooli', lines, labels: { project: 'x' } }])
    assert.equal(messages[0].total?.minorUnits, 96_000n)
    await call('payInvoice', [{ invoiceId: messages[0].invoiceId, method: { case: 'cardToken', value: 'tok' } }])
    const events = await finished
    assert.equal(events.status, 0)
    const kinds = events.messages.map(({ kind }) => kind)
    assert.ok([InvoiceEvent_Kind.CREATED, InvoiceEvent_Kind.EXISTING].includes(kinds[0]))
    assert.equal(kinds[1], InvoiceEvent_Kind.PAID)
  })

  it('sums a stream of records', async () => {
    const records = [
      { meter: 'api_calls', units: 10n },
      { meter: 'storage_gb', units: 3n },
      { meter: 'api_calls', units: 5n },
    ]
    const { messages } = await call('recordUsage', records)
    assert.equal(messages[0].records, 3)
    assert.deepEqual({ ...messages[0].unitsByMeter }, { api_calls: 15n, storage_gb: 3n })
    assert.equal((await call('recordUsage', [{ meter: '__proto__', units: 1n }])).status, 3)
  })

  it('answers each message of a conversation as it comes', async () => {
    const { input, output } = Billing.method.reconcile
    const talk = open('/billing.v1.Billing/Reconcile')
    talk.send(
      toBinary(
        input,
        create(input, { paymentId: 'p1', customerId: 'initech', amount: { currencyCode: 'EUR', minorUnits: 153_600n } }),
      ),
    )
    const [firstBytes] = (await once(talk.stream, 'data')) as [Buffer]
    const first = fromBinary(output, firstBytes.subarray(5))
    assert.deepEqual([first.paymentId, first.invoiceId], ['p1', 'inv-2005'])
    talk.send(
      toBinary(input, create(input, { paymentId: 'p2', customerId: 'initech', amount: { currencyCode: 'EUR', minorUnits: 1n } })),
    )
    talk.stream.end()
    const { messages, status } = await finish(talk.stream, output)
    assert.deepEqual([messages[0].paymentId, messages[0].invoiceId, status], ['p2', '', 0])
  })

  it('ends a call at its deadline', async () => {
    assert.equal((await call('watchInvoices', [{}], { 'grpc-timeout': '20m' })).status, 4)
  })

  it('refuses what is not gRPC, compressed, too large or cut off', async () => {
    const other = session.request({
      ':method': 'POST',
      ':path': '/billing.v1.Billing/GetInvoice',
      'content-type': 'application/json',
    })
    const [headers] = (await once(other, 'response')) as [Record<string, unknown>]
    assert.equal(headers[':status'], 415)
    for (const [bytes, status] of [
      [Buffer.from([1, 0, 0, 0, 0]), 12],
      [Buffer.from([0, 0xff, 0, 0, 0]), 8],
      [Buffer.from([0, 0, 0, 0, 9, 1]), 13],
      [Buffer.from([0, 0, 0, 0, 1, 0xff]), 13],
    ] as const) {
      const { stream } = open('/billing.v1.Billing/GetInvoice')
      stream.end(bytes)
      assert.equal((await finish(stream, Billing.method.getInvoice.output)).status, status)
    }
  })

  it('says that it is well', async () => {
    const health = session.request({ ':path': '/healthz' })
    const [headers] = (await once(health, 'response')) as [Record<string, unknown>]
    assert.equal(headers[':status'], 200)
    health.destroy()
  })
})
