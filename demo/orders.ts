import type { ServerResponse } from 'node:http'
import type { DemoService } from './demo-service.ts'
import { listenOnLoopback } from './demo-service.ts'
import type { JsonRequest } from './json-server.ts'
import { JsonError, createJsonServer, sendJson } from './json-server.ts'
import type { Order, OrderLine } from './shop.ts'
import { catalog, firstOrders, totalOf } from './shop.ts'
import { echoWebSocket } from './websocket-echo.ts'

type Listener = (order: Order) => void

/**
 * The orders service: GET /catalog and /catalog/{sku}; GET and POST /orders, GET /orders/{id}; GET /orders/events, new
 * orders as server-sent events; /orders/echo, a WebSocket that says back what it hears. A caller with a tenant sees
 * that tenant's orders only.
 */
export function startOrders(port: number): Promise<DemoService> {
  const orders = new Map<string, Order>(firstOrders.map((order) => [order.id, order]))
  const listeners = new Set<Listener>()

  const visible = (request: JsonRequest): Order[] => {
    const tenant = request.headers['x-auth-tenant']
    return [...orders.values()].filter((order) => tenant === undefined || order.tenant === tenant)
  }
  const place = async (request: JsonRequest, response: ServerResponse): Promise<void> => {
    const lines = parseLines(await request.json())
    const order: Order = {
      id: `o-${1001 + orders.size}`,
      tenant: oneOf(request.headers['x-auth-tenant']) ?? 'walk-in',
      buyer: oneOf(request.headers['x-auth-subject']) ?? 'guest',
      status: 'placed',
      placedAt: new Date().toISOString(),
      lines,
      total: totalOf(lines),
    }
    if (orders.size >= 10_000) throw new JsonError(507, 'the demo takes no more orders')
    orders.set(order.id, order)
    for (const listener of listeners) listener(order)
    sendJson(response, 201, order, { location: `/orders/${order.id}` })
  }
  const stream = (request: JsonRequest, response: ServerResponse): void => {
    const tenant = request.headers['x-auth-tenant']
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('retry: 3000\n\n')
    const listener: Listener = (order) => {
      if (tenant !== undefined && order.tenant !== tenant) return
      response.write(`event: order\nid: ${order.id}\ndata: ${JSON.stringify(order)}\n\n`)
    }
    listeners.add(listener)
    // Comments keep proxies and clients from taking silence for death.
    const alive = setInterval(() => response.write(': alive\n\n'), 15_000)
    response.on('close', () => {
      clearInterval(alive)
      listeners.delete(listener)
    })
  }

  const { server, closeOpen } = createJsonServer((request, response) => {
    const { method, path } = request
    if (path === '/orders' && method === 'POST') return place(request, response)
    if (method !== 'GET' && method !== 'HEAD') throw new JsonError(405, 'not this method')
    if (path === '/catalog') return sendJson(response, 200, { products: catalog }, { 'cache-control': 'public, max-age=30' })
    if (path === '/orders') return { orders: visible(request) }
    if (path === '/orders/events') return stream(request, response)
    const found = path.startsWith('/catalog/')
      ? catalog.find(({ sku }) => sku === path.slice('/catalog/'.length))
      : visible(request).find(({ id }) => path === `/orders/${id}`)
    if (found === undefined) throw new JsonError(404, 'no such thing')
    return found
  }, echoWebSocket)
  return listenOnLoopback(server, port, 'http', closeOpen)
}

const oneOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)

/** `{ "lines": [{ "sku": "PEN-INK-05", "quantity": 2 }] }`; prices are the catalog's, whatever the client thinks. */
function parseLines(body: unknown): OrderLine[] {
  const lines = (body as { lines?: unknown } | null)?.lines
  if (!Array.isArray(lines) || lines.length === 0 || lines.length > 100)
    throw new JsonError(422, 'lines: between 1 and 100 are needed')
  return lines.map((line: unknown, index) => {
    const { sku, quantity } = (line ?? {}) as { sku?: unknown; quantity?: unknown }
    const product = catalog.find((candidate) => candidate.sku === sku)
    if (product === undefined) throw new JsonError(422, `lines[${index}].sku: not in the catalog`)
    if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1 || quantity > 1000) {
      throw new JsonError(422, `lines[${index}].quantity: a whole number from 1 to 1000`)
    }
    return { sku: product.sku, quantity, unitPrice: product.price }
  })
}
