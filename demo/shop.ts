/** An amount in minor units (cents, öre) of a currency. */
export interface Amount {
  readonly currency: 'EUR'
  readonly minorUnits: number
}

export interface Product {
  readonly sku: string
  readonly name: string
  readonly price: Amount
  readonly stock: number
}

export interface OrderLine {
  readonly sku: string
  readonly quantity: number
  readonly unitPrice: Amount
}

export interface Order {
  readonly id: string
  readonly tenant: string
  readonly buyer: string
  readonly status: 'placed' | 'paid' | 'shipped' | 'delivered' | 'returned'
  readonly placedAt: string
  readonly lines: readonly OrderLine[]
  readonly total: Amount
}

const euro = (minorUnits: number): Amount => ({ currency: 'EUR', minorUnits })

/** What the demo's shop sells. */
export const catalog: readonly Product[] = [
  { sku: 'CHR-ERGO-01', name: 'Office chair, mesh back', price: euro(28900), stock: 42 },
  { sku: 'DSK-OAK-160', name: 'Desk, oak, 160 × 80 cm', price: euro(41950), stock: 17 },
  { sku: 'LMP-ARM-LED', name: 'Desk lamp, LED, swing arm', price: euro(6490), stock: 130 },
  { sku: 'MON-27-4K', name: 'Monitor, 27 inch, 4K', price: euro(32999), stock: 58 },
  { sku: 'KBD-ISO-DE', name: 'Keyboard, mechanical, ISO', price: euro(11900), stock: 75 },
  { sku: 'PEN-INK-05', name: 'Fountain pen, 0.5 mm', price: euro(2350), stock: 310 },
  { sku: 'NBK-A5-DOT', name: 'Notebook, A5, dotted, pack of 3', price: euro(1490), stock: 0 },
  { sku: 'CBL-USBC-2M', name: 'Cable, USB-C, 2 m', price: euro(1290), stock: 940 },
]

/** The sum of an order's lines. */
export function totalOf(lines: readonly OrderLine[]): Amount {
  return euro(lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice.minorUnits, 0))
}

function order(
  id: string,
  tenant: string,
  buyer: string,
  status: Order['status'],
  placedAt: string,
  items: Record<string, number>,
): Order {
  const lines = Object.entries(items).map(([sku, quantity]) => {
    const product = catalog.find((candidate) => candidate.sku === sku)
    if (product === undefined) throw new Error(`no product ${sku}`)
    return { sku, quantity, unitPrice: product.price }
  })
  return { id, tenant, buyer, status, placedAt, lines, total: totalOf(lines) }
}

/** The orders that are there when the demo starts. */
export const firstOrders: readonly Order[] = [
  order('o-1001', 'acme', 'ada', 'delivered', '2026-09-02T08:14:09Z', { 'CHR-ERGO-01': 4, 'DSK-OAK-160': 4 }),
  order('o-1002', 'acme', 'bela', 'shipped', '2026-11-16T13:40:51Z', { 'MON-27-4K': 2, 'CBL-USBC-2M': 4 }),
  order('o-1003', 'globex', 'chidi', 'paid', '2026-11-20T09:03:27Z', { 'KBD-ISO-DE': 12 }),
  order('o-1004', 'globex', 'chidi', 'returned', '2026-10-11T16:22:00Z', { 'LMP-ARM-LED': 6, 'PEN-INK-05': 20 }),
  order('o-1005', 'initech', 'emre', 'placed', '2026-11-23T17:55:38Z', { 'NBK-A5-DOT': 40, 'PEN-INK-05': 40 }),
  order('o-1006', 'acme', 'ada', 'placed', '2026-11-24T07:31:12Z', { 'LMP-ARM-LED': 4 }),
]
