import type { Attack, Field } from '../attack.ts'

const host = 'Host: localhost\r\n'
const get = (path: string, lines: string): string => `GET ${path} HTTP/1.1\r\n${host}${lines}\r\n`
/** Integers whose unseeded V8 hash falls into one bucket of any table up to 131,072: what CVE-2026-21717 was about. */
const colliding = (index: number): string => String(7 + index * 131_072)

/** Heads that cost more than they look like, keys among them. */
export const headAttacks: readonly Attack[] = [
  requests('huge-heads', 'heads of 15 KB in one line', 500, () => get('/answered/x', `X-Much: ${'y'.repeat(15_000)}\r\n`)),
  requests('too-huge-heads', 'heads of 64 KB, four times what is allowed', 200, () =>
    get('/answered/x', `X-Much: ${'y'.repeat(64_000)}\r\n`),
  ),
  requests('many-headers', 'heads of 98 small header lines', 1000, () =>
    get('/answered/x', Array.from({ length: 98 }, (_, i) => `X-${i}: y\r\n`).join('')),
  ),
  requests('huge-cookies', 'cookies of 15 KB, 1,500 to a head, on a route with sessions', 500, () =>
    get('/session/x', `Cookie: ${Array.from({ length: 1500 }, (_, i) => `c${i}=${i}`).join('; ')}\r\n`),
  ),
  requests('cache-busting', 'addresses that no cache has seen', 200, (i) => get(`/cached/busting?${i}-${process.pid}`, '')),
  {
    ...requests('limiter-keys', 'limiter keys never seen before, a million of them before the first window', 2000, (i) =>
      get('/keyed/x', `X-Key: key-${i}\r\n`),
    ),
    maxGrowthMib: 96,
    prepare: (field) => sendAll(field, 1_000_000, 20_000, (i) => get('/keyed/x', `X-Key: first-${i}\r\n`)),
  },
  requests('colliding-keys', 'limiter keys that collide in an unseeded hash of V8', 2000, (i) =>
    get('/keyed/x', `X-Key: ${colliding(i % 32_000)}\r\n`),
  ),
  requests('colliding-names', 'header names, cookies and query members that collide in an unseeded hash of V8', 500, (i) => {
    const names = Array.from({ length: 95 }, (_, j) => colliding((i * 95 + j) % 32_000))
    const cookies = names.map((name) => `${name}=1`).join('; ')
    return get(
      `/session/x?${names.map((name) => `${name}=1`).join('&')}`,
      `${names.map((name) => `${name}: 1\r\n`).join('')}Cookie: ${cookies}\r\n`,
    )
  }),
  {
    name: 'pipelining',
    does: 'requests sent ahead without end, 4,000/s over 20 connections',
    unit: 'requests',
    begin(field) {
      const many = get('/answered/x', '').repeat(40)
      const next = field.rotation(20)
      field.every(100, () => {
        const socket = next()
        if (socket === undefined) return
        socket.write(many)
        field.count += 40
      })
    },
  },
  {
    name: 'malformed',
    does: 'requests that are refused as malformed, each on a connection of its own, 300/s',
    unit: 'requests',
    begin: (field) =>
      field.every(300, () => {
        const socket = field.open(field.nextAddress(200))
        socket.once('connect', () => {
          field.count++
          socket.write(
            'GET /open/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
          )
        })
        socket.resume()
      }),
  },
]

/** So many requests a second over 20 connections that are kept. */
function requests(name: string, does: string, perSecond: number, text: (index: number) => string): Attack {
  return {
    name,
    does: `${does}, ${perSecond.toLocaleString('en')}/s`,
    unit: 'requests',
    begin(field) {
      let index = 0
      field.writeInTurn(perSecond, 20, () => text(index++))
    },
  }
}

/** Sends `many` requests as fast as they are answered, over connections of a few thousand each, for half a minute at most. */
async function sendAll(field: Field, many: number, forMs: number, text: (index: number) => string): Promise<void> {
  const until = performance.now() + forMs
  let sent = 0
  const lane = async (): Promise<void> => {
    for (;;) {
      if (sent >= many || performance.now() >= until) return
      const socket = field.open(field.nextAddress(50))
      let due = 0
      let isOver = false
      await new Promise<void>((resolve) => {
        const more = (): void => {
          let batch = ''
          for (let i = 0; i < 100 && due < 9900; i++, due++) batch += text(sent++)
          if (batch === '') socket.end()
          else socket.write(batch, 'latin1')
        }
        socket.once('connect', more)
        let answered = 0
        socket.on('data', (bytes) => {
          // One status line for each answer.
          for (let at = bytes.indexOf('HTTP/1.1 '); at !== -1; at = bytes.indexOf('HTTP/1.1 ', at + 9)) answered++
          if (answered < due - 50 || isOver) return
          if (due >= 9900 || sent >= many || performance.now() >= until) {
            isOver = true
            socket.destroy()
          } else more()
        })
        socket.once('close', () => resolve())
      })
    }
  }
  await Promise.all(Array.from({ length: 4 }, lane))
  console.log(`limiter-keys: ${sent.toLocaleString('en')} distinct keys before the first window`)
}
