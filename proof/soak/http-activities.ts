import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { contentOf, isWhole, seal, someSize } from './content.ts'
import { perKey } from './configs.ts'
import { numberOf } from './ledger.ts'
import type { Activity, World } from './world.ts'
import { asked, expectStatus } from './world.ts'

const cachedKeys = 60

/** Requests of plain HTTP: small and large, whole and given up, cached, limited, tried again, refused. */
export function httpActivities(world: World): Activity[] {
  const { callers, ledger } = world
  let n = 0
  const bytesPath = (path = '/bytes'): string => `${path}?size=${someSize(++n)}&seed=${n}`
  const get = (name: string, perSecond: number, caller: World['callers'][keyof World['callers']], path = '/bytes'): Activity => ({
    name,
    perSecond,
    run: async () => void (await asked(world, name, caller, { path: bytesPath(path) })),
  })
  const upload = (name: string, perSecond: number, caller: World['callers'][keyof World['callers']]): Activity => ({
    name,
    perSecond,
    async run() {
      const body = contentOf(someSize(++n), n)
      const headers = { ...seal(body), 'content-type': 'application/octet-stream' }
      await asked(world, name, caller, { method: 'POST', path: '/upload', headers, body }, { status: 201 })
    },
  })
  return [
    get('HTTP/1.1', 70, callers.http1),
    get('HTTP/1.1, TLS', 25, callers.http1Secure),
    get('HTTP/1.1, TLS, new connection', 3, callers.http1Fresh),
    get('HTTP/2, TLS', 50, callers.http2),
    get('HTTP/2, plain', 10, callers.http2Plain),
    get('route that changes', 8, callers.http1, '/changing'),
    get('mirrored', 3, callers.http2, '/mirrored'),
    upload('upload, HTTP/1.1', 8, callers.http1),
    upload('upload, HTTP/2', 8, callers.http2),
    cached(world, () => ++n),
    {
      name: 'compressed',
      perSecond: 4,
      async run() {
        const question = { path: bytesPath('/text'), headers: { 'accept-encoding': 'gzip' } }
        const reply = await asked(world, 'compressed', callers.http2, question, { isSealed: false })
        if (reply?.status !== 200) return
        const isZipped = reply.headers['content-encoding'] === 'gzip'
        if (!isWhole(isZipped ? gunzipSync(reply.body) : reply.body, reply.headers)) ledger.note('compressed: other bytes')
      },
    },
    limited(world),
    {
      // Keys without end: the table of limits must stay what it is.
      name: 'ever new keys and addresses',
      perSecond: 20,
      async run() {
        const headers = { 'x-key': `key-${++n}`, 'x-forwarded-for': `203.0.${(n >> 8) & 255}.${n & 255}` }
        await asked(world, 'ever new keys and addresses', callers.http1, { path: bytesPath('/many'), headers })
      },
    },
    {
      name: 'tried again (GET)',
      perSecond: 8,
      run: async () =>
        void (await asked(world, 'tried again (GET)', callers.http1, { path: '/flaky' }, { arrival: 'once-or-more' })),
    },
    {
      name: 'never tried again (POST)',
      perSecond: 3,
      async run() {
        const name = 'never tried again (POST)'
        const id = ledger.begin(name)
        const body = Buffer.from('{}')
        const headers = { 'x-soak-id': id, 'content-type': 'application/json' }
        const { status } = await callers.http1.ask({ method: 'POST', path: '/flaky', headers, body })
        const number = numberOf(id)
        const expected = number % 6 === 0 ? 502 : number % 6 === 3 ? 503 : 200
        if (expectStatus(world, name, 'status', status, expected)) ledger.tally(name).good++
        ledger.settle(id, 'once')
      },
    },
    ...refusals(world),
    givenUp(world),
    {
      name: 'slow reader',
      perSecond: 0.5,
      run: () => readSlowly(world, ++n),
    },
    {
      name: 'download of 1 MiB',
      perSecond: 1.5,
      run: async () =>
        void (await asked(world, 'download of 1 MiB', n % 2 === 0 ? callers.http2 : callers.http1, { path: `/large?seed=${++n}` })),
    },
    {
      name: 'event stream',
      perSecond: 1,
      async run() {
        const reply = await asked(
          world,
          'event stream',
          n++ % 2 === 0 ? callers.http2 : callers.http1Secure,
          {
            path: '/events?count=40',
            headers: { accept: 'text/event-stream' },
          },
          { isSealed: false },
        )
        const expected = Array.from({ length: 40 }, (_, i) => `id: ${i + 1}\ndata: event ${i + 1} of 40\n\n`).join('')
        if (reply?.status !== 200) return
        if (reply.body.toString() === expected) ledger.tally('event stream').messages += 40
        else ledger.note('event stream: events are missing or out of order')
      },
    },
  ]

  function refusals({ callers: { http1, http2, http1Secure } }: World): Activity[] {
    const refused = (name: string, perSecond: number, caller: typeof http1, question: object, status: number): Activity => ({
      name,
      perSecond,
      run: async () =>
        void (await asked(world, name, caller, question as { path: string }, { status, arrival: 'never', isSealed: false })),
    })
    return [
      refused('no route', 3, http2, { path: '/nowhere' }, 404),
      refused('nobody', 3, http1Secure, { path: '/private' }, 401),
      refused('a token of nobody', 2, http2, { path: '/private', headers: { authorization: 'Bearer abc.def.ghi' } }, 401),
      refused('a wrong API key', 2, http1, { path: '/keyed', headers: { 'x-api-key': `vk_${'a'.repeat(43)}` } }, 401),
      refused('a path above the root', 2, http1, { path: '/..%2f..%2fetc' }, 400),
      refused('a body too large', 0.5, http1, { method: 'POST', path: '/upload', body: Buffer.alloc(1_100_000) }, 413),
      refused('answered here', 5, http1, { path: '/said' }, 200),
    ]
  }

  function givenUp({ plain }: World): Activity {
    const name = 'given up by the client'
    return {
      name,
      perSecond: 4,
      async run() {
        const id = ledger.begin(name)
        const sent = request(new URL(`/slow?size=200000&seed=${n}`, plain), { agent: false, headers: { 'x-soak-id': id } })
        sent.on('error', () => {})
        sent.end()
        if (++n % 3 !== 0) {
          const [response] = (await once(sent, 'response')) as [IncomingMessage]
          response.on('error', () => {})
          response.resume()
        }
        await sleep(Math.random() * 150)
        sent.destroy()
        ledger.tally(name).good++
        // It may still be on its way when the client is gone.
        await sleep(2000)
        ledger.settle(id, 'at-most-once')
      },
    }
  }

  async function readSlowly({ plain }: World, seed: number): Promise<void> {
    const id = ledger.begin('slow reader')
    const sent = request(new URL(`/large?seed=${seed}`, plain), { agent: false, headers: { 'x-soak-id': id } }).end()
    // A reset while the answer is read is an error of the request too; the answer says what came of it.
    sent.on('error', () => {})
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) {
      chunks.push(chunk as Buffer)
      await sleep(60)
    }
    const whole = Buffer.concat(chunks)
    if (response.complete && isWhole(whole, response.headers)) ledger.tally('slow reader').good++
    else ledger.note('slow reader: the answer is not what the service sent')
    ledger.tally('slow reader').bytes += whole.length
    ledger.settle(id, 'once')
  }

  function cached({ callers: { http1, http2 } }: World, next: () => number): Activity {
    return {
      name: 'cached',
      perSecond: 30,
      async run() {
        const number = next()
        // Most ask for the same few; some for one that nobody asked for before.
        const key = number % 10 === 0 ? `once-${number}` : `key-${number % cachedKeys}`
        const path = `/cached/${key}`
        // What was acknowledged before it was asked.
        const least = purged.get(path) ?? 0
        const reply = await asked(
          world,
          'cached',
          number % 2 === 0 ? http1 : http2,
          { path: `${path}?size=${300 + (number % 7)}` },
          {
            arrival: 'at-most-once',
          },
        )
        if (reply?.status !== 200) return
        const version = Number(reply.headers['x-soak-version'])
        if (!reply.body.toString('latin1', 0, 80).startsWith(`${path} ${version}\n`))
          ledger.note('cached: the answer of another key')
        if (version < least) ledger.note('cached: an answer from before its purge')
      },
    }
  }
}

/** The version below which nothing may be answered: what was current when a purge was acknowledged. */
export const purged = new Map<string, number>()

/** By key: since when it asks, how many of its requests passed, and how many may have by then. */
export const passed = new Map<string, { readonly since: number; count: number; most: number }>()

/** Keys that ask too often: no more may pass than the bucket holds and gets. */
function limited(world: World): Activity {
  const name = 'limited'
  const { ledger, callers } = world
  let n = 0
  return {
    name,
    perSecond: 30,
    async run() {
      const key = `client-${++n % 10}`
      const began = performance.now()
      const known = passed.get(key) ?? { since: began, count: 0, most: 0 }
      passed.set(key, known)
      const id = ledger.begin(name)
      const reply = await callers.http1.ask({ path: `/limited?seed=${n}`, headers: { 'x-soak-id': id, 'x-key': key } })
      const tally = ledger.tally(name)
      if (reply.status === 200) {
        known.count++
        known.most = (perKey.capacity + ((performance.now() - known.since) / 1000) * perKey.perSecond) * 1.05
        if (!isWhole(reply.body, reply.headers)) ledger.note('limited: the answer is not what the service sent')
        tally.good++
        ledger.settle(id, 'once')
      } else if (reply.status === 429) {
        if (!(Number(reply.headers['retry-after']) >= 1)) ledger.note('limited: a refusal without Retry-After')
        tally.good++
        tally.refused++
        ledger.settle(id, 'never')
      } else {
        ledger.note(`limited: status ${reply.status}`)
        ledger.settle(id, 'at-most-once')
      }
    },
  }
}
