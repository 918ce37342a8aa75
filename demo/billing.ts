import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { DemoService } from './demo-service.ts'
import { listenOnLoopback } from './demo-service.ts'
import {
  Billing,
  InvoiceEventSchema,
  InvoiceEvent_Kind,
  InvoiceSchema,
  InvoiceStatus,
  ListInvoicesResponseSchema,
  MatchSchema,
  MoneySchema,
  UsageSummarySchema,
} from './gen/billing_pb.js'
import type { Invoice, InvoiceEvent, InvoiceLine, ListInvoicesRequest, ListInvoicesResponse } from './gen/billing_pb.js'
import type { GrpcMethods } from './grpc-server.ts'
import { GrpcError, createGrpcServer, grpcCode } from './grpc-server.ts'
import { firstOrders } from './shop.ts'

type Listener = (event: InvoiceEvent) => void

/** The billing service of protos/billing.proto, as gRPC over plain HTTP/2. */
export function startBilling(port: number): Promise<DemoService> {
  const { server, closeOpen } = createGrpcServer(Billing, billingMethods())
  return listenOnLoopback(server, port, 'grpc', closeOpen)
}

function billingMethods(): GrpcMethods<typeof Billing> {
  const invoices = new Map<string, Invoice>(firstInvoices().map((invoice) => [invoice.invoiceId, invoice]))
  const listeners = new Set<Listener>()

  const find = (id: string): Invoice => {
    const invoice = invoices.get(id)
    if (invoice === undefined) throw new GrpcError(grpcCode.notFound, 'no such invoice')
    return invoice
  }
  const tell = (kind: InvoiceEvent_Kind, invoice: Invoice): void => {
    for (const listener of listeners) listener(create(InvoiceEventSchema, { kind, invoice }))
  }
  const pay = (invoice: Invoice): Invoice => {
    if (!isOpen(invoice)) throw new GrpcError(grpcCode.failedPrecondition, 'the invoice is not open')
    invoice.status = InvoiceStatus.PAID
    invoice.paidTime = timestampFromDate(new Date())
    tell(InvoiceEvent_Kind.PAID, invoice)
    return invoice
  }

  return {
    getInvoice: ({ invoiceId }) => find(invoiceId),
    listInvoices: (request) => page([...invoices.values()].toReversed(), request),
    createInvoice({ customerId, orderId, lines, labels }) {
      if (customerId === '') throw new GrpcError(grpcCode.invalidArgument, 'customer_id is missing')
      if (lines.length === 0) throw new GrpcError(grpcCode.invalidArgument, 'lines: at least one is needed')
      if (invoices.size >= 10_000) throw new GrpcError(grpcCode.resourceExhausted, 'the demo takes no more invoices')
      const invoice = open(`inv-${2001 + invoices.size}`, customerId, orderId, lines, new Date())
      invoice.labels = labels
      invoices.set(invoice.invoiceId, invoice)
      tell(InvoiceEvent_Kind.CREATED, invoice)
      return invoice
    },
    payInvoice({ invoiceId, method }) {
      if (method.case === undefined) throw new GrpcError(grpcCode.invalidArgument, 'card_token or iban is needed')
      return pay(find(invoiceId))
    },
    async *watchInvoices({ customerId, limit }, { signal }) {
      const waiting: InvoiceEvent[] = []
      let wake: (() => void) | undefined
      const listener: Listener = (event) => {
        waiting.push(event)
        wake?.()
      }
      for (const invoice of invoices.values())
        waiting.push(create(InvoiceEventSchema, { kind: InvoiceEvent_Kind.EXISTING, invoice }))
      listeners.add(listener)
      signal.addEventListener('abort', () => wake?.())
      let left = limit === 0 ? Number.POSITIVE_INFINITY : limit
      try {
        while (left > 0 && !signal.aborted) {
          const event = waiting.shift()
          if (event === undefined) {
            await new Promise<void>((resolve) => (wake = resolve))
          } else if (customerId === '' || event.invoice?.customerId === customerId) {
            left--
            yield event
          }
        }
      } finally {
        listeners.delete(listener)
      }
    },
    async recordUsage(records) {
      const summary = create(UsageSummarySchema)
      for await (const { meter, units } of records) {
        if (!/^[a-z][a-z0-9_]{0,63}$/.test(meter))
          throw new GrpcError(grpcCode.invalidArgument, 'meter: a lower-case name is needed')
        summary.records++
        summary.unitsByMeter[meter] = (summary.unitsByMeter[meter] ?? 0n) + units
      }
      return summary
    },
    async *reconcile(payments) {
      for await (const { paymentId, customerId, amount } of payments) {
        const invoice = [...invoices.values()].find(
          (candidate) =>
            isOpen(candidate) &&
            candidate.customerId === customerId &&
            candidate.total?.minorUnits === amount?.minorUnits &&
            candidate.total?.currencyCode === amount?.currencyCode,
        )
        if (invoice !== undefined) pay(invoice)
        yield create(MatchSchema, { paymentId, invoiceId: invoice?.invoiceId ?? '' })
      }
    },
  }
}

const isOpen = ({ status }: Invoice): boolean => status === InvoiceStatus.OPEN || status === InvoiceStatus.OVERDUE

function page(invoices: readonly Invoice[], request: ListInvoicesRequest): ListInvoicesResponse {
  const { customerId, status, pageSize, pageToken } = request
  if (pageSize < 0) throw new GrpcError(grpcCode.invalidArgument, 'page_size must not be negative')
  const matching = invoices.filter(
    (invoice) =>
      (customerId === '' || invoice.customerId === customerId) &&
      (status === InvoiceStatus.UNSPECIFIED || invoice.status === status),
  )
  const from = pageToken === '' ? 0 : matching.findIndex(({ invoiceId }) => invoiceId === pageToken)
  if (from === -1) throw new GrpcError(grpcCode.invalidArgument, 'page_token is not one of ours')
  const to = from + Math.min(pageSize === 0 ? 20 : pageSize, 100)
  return create(ListInvoicesResponseSchema, { invoices: matching.slice(from, to), nextPageToken: matching[to]?.invoiceId ?? '' })
}

/** One invoice for every order that is there when the demo starts. */
function firstInvoices(): Invoice[] {
  return firstOrders.map((order, index) => {
    const lines = order.lines.map(({ sku, quantity, unitPrice }) => ({
      description: sku,
      quantity,
      unitPrice: { currencyCode: unitPrice.currency, minorUnits: BigInt(unitPrice.minorUnits) },
    }))
    const invoice = open(`inv-${2001 + index}`, order.tenant, order.id, lines.map(lineOf), new Date(order.placedAt))
    if (order.status === 'delivered' || order.status === 'paid') {
      invoice.status = InvoiceStatus.PAID
      invoice.paidTime = timestampFromDate(new Date(Date.parse(order.placedAt) + 86_400_000))
    } else if (order.status === 'returned') {
      invoice.status = InvoiceStatus.VOID
    }
    return invoice
  })
}

type LineInit = { description: string; quantity: number; unitPrice: { currencyCode: string; minorUnits: bigint } }

function lineOf({ description, quantity, unitPrice }: LineInit): InvoiceLine {
  return create(InvoiceSchema, { lines: [{ description, quantity, unitPrice }] }).lines[0]
}

function open(invoiceId: string, customerId: string, orderId: string, lines: InvoiceLine[], issuedAt: Date): Invoice {
  const currencyCode = lines[0].unitPrice?.currencyCode ?? 'EUR'
  if (lines.some((line) => line.unitPrice?.currencyCode !== currencyCode)) {
    throw new GrpcError(grpcCode.invalidArgument, 'lines: one currency and a unit_price each are needed')
  }
  const minorUnits = lines.reduce((sum, { quantity, unitPrice }) => sum + BigInt(quantity) * (unitPrice?.minorUnits ?? 0n), 0n)
  return create(InvoiceSchema, {
    invoiceId,
    customerId,
    orderId,
    lines,
    status: InvoiceStatus.OPEN,
    total: create(MoneySchema, { currencyCode, minorUnits }),
    issueTime: timestampFromDate(issuedAt),
    dueTime: timestampFromDate(new Date(issuedAt.getTime() + 30 * 86_400_000)),
  })
}
