import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Asking, CacheAnswer, ProgrammableService } from '../support/cache-service.ts'
import { clientOf, startProgrammableService } from '../support/cache-service.ts'
import { accessToken, jwkSet, signingKey } from '../support/token-issuer.ts'
import { startVelum, workFolder } from '../support/velum-process.ts'

// Nothing here waits for an answer to grow old: services say by Age how old theirs are already.

const steps: (() => unknown)[] = []
const cleanup = { after: (step: () => unknown) => void steps.unshift(step) }
const key = signingKey()
const bearer = (sub: string): string => `Bearer ${accessToken(key, Date.now(), { sub })}`

let service: ProgrammableService
let ask: (path: string, asking?: Asking) => Promise<CacheAnswer>
let purge: (what: object) => Promise<void>

before(async () => {
  service = await startProgrammableService(cleanup)
  const folder = workFolder(cleanup)
  folder.write('velum.config.yaml', readFileSync(new URL('cache.yaml', import.meta.url), 'utf8'))
  folder.write('jwks.json', jwkSet(key).toString())
  const velum = startVelum(cleanup, ['run', '--workers', '2'], { folder: folder.path, env: { UPSTREAM: service.url } })
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const ready = JSON.parse(line) as { listeners: { web: string }; admin: string }
  // As many connections as there may be requests at once, so that all are under way together, on both workers.
  ask = clientOf(cleanup, ready.listeners.web, 1000)
  const authorization = `Bearer ${readFileSync(join(folder.path, '.velum/admin.token'), 'utf8').trim()}`
  const admin = clientOf(cleanup, ready.admin)
  purge = async (what) => {
    const { status } = await admin('/api/cache/purge', { method: 'POST', headers: { authorization }, body: JSON.stringify(what) })
    assert.equal(status, 204)
  }
})
after(async () => {
  for (const step of steps) await step()
})

type Fields = Record<string, string | string[]>

/** A path whose answers carry these fields and tell how often it was asked. */
function answering(headers: Fields, { below = '/plain', status = 200 } = {}): string {
  return service.at(below, (asked, _incoming, response) => response.writeHead(status, headers).end(String(asked)))
}

const minute = { 'cache-control': 'max-age=60' }
const publicMinute = { 'cache-control': 'public, max-age=60' }

describe('an answer', () => {
  const cases: readonly [name: string, headers: Fields, isKept: boolean, status?: number][] = [
    ['with max-age', minute, true],
    ['with s-maxage, whatever max-age says', { 'cache-control': 's-maxage=60, max-age=0' }, true],
    ['with max-age=0', { 'cache-control': 'max-age=0' }, false],
    ['with Expires ahead of its Date', { expires: new Date(Date.now() + 60_000).toUTCString() }, true],
    ['with Expires that is no date', { expires: '0' }, false],
    ['with max-age and Expires: max-age counts', { ...minute, expires: '0' }, true],
    ['with nothing about caching', {}, false],
    ['with Last-Modified alone: no guesses', { 'last-modified': 'Tue, 01 Jan 2019 00:00:00 GMT' }, false],
    ['older than it may become', { ...minute, age: '61' }, false],
    ['with an age below it', { ...minute, age: '30' }, true],
    ['that says no-store', { 'cache-control': 'max-age=60, no-store' }, false],
    ['that says No-Store', { 'cache-control': 'max-age=60, No-Store' }, false],
    ['that is private', { 'cache-control': 'private, max-age=60' }, false],
    ['that is private about a field', { 'cache-control': 'private="x-name", max-age=60' }, false],
    ['that is private about nothing (CVE-2026-13697)', { 'cache-control': 'private="", max-age=60' }, false],
    ['that is private twice over', { 'cache-control': 'private="x-name", private, max-age=60' }, false],
    ['that is private with blanks', { 'cache-control': 'max-age=60, private=" x-name "' }, false],
    ['that is private on its second line', { 'cache-control': ['max-age=60', 'private'] }, false],
    ['with no-cache', { 'cache-control': 'no-cache, max-age=60' }, false],
    ['with two different max-age', { 'cache-control': 'max-age=60, max-age=0' }, false],
    ['with a max-age that is no number', { 'cache-control': 'max-age=sixty' }, false],
    ['with a negative max-age', { 'cache-control': 'max-age=-1' }, false],
    ['with a cookie', { ...publicMinute, 'set-cookie': 'session=ada' }, false],
    ['that varies by everything', { ...minute, vary: '*' }, false],
    ['that varies by everything and more', { ...minute, vary: 'accept-encoding, *' }, false],
    ['that varies by everything on its second line', { ...minute, vary: ['accept-encoding', '*'] }, false],
    ['with CDN-Cache-Control, which counts before Cache-Control', { ...minute, 'cdn-cache-control': 'no-store' }, false],
    ['with CDN-Cache-Control that allows', { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' }, true],
    [
      'with Velum-Cache-Control, which counts before both',
      { 'cache-control': 'no-store', 'cdn-cache-control': 'no-store', 'velum-cache-control': 'max-age=60' },
      true,
    ],
    ['of 404 with max-age', minute, true, 404],
    ['of 301 with max-age', { ...minute, location: '/elsewhere' }, true, 301],
    ['of 500 without a word', {}, false, 500],
    ['of 206 that nobody asked for', { ...minute, 'content-range': 'bytes 0-0/9' }, false, 206],
    ['of 401', minute, false, 401],
    ['of 429', minute, false, 429],
  ]
  for (const [name, headers, isKept, status = 200] of cases) {
    it(`${name} is ${isKept ? '' : 'not '}given again`, async () => {
      const path = answering(headers, { status })
      const [first, second] = [await ask(path), await ask(path)]
      assert.deepEqual([first.status, first.text], [status, '1'])
      assert.deepEqual([second.status, second.text, service.asked(path)], [status, isKept ? '1' : '2', isKept ? 1 : 2])
      assert.match(second.how, isKept ? /^velum; hit; ttl=\d+$/ : /fwd=/)
    })
  }

  it('is not kept when its body breaks off, and the client sees that it did', async () => {
    const path = service.at('/plain', (asked, _incoming, response) => {
      response.writeHead(200, { ...minute, 'content-length': '10' })
      if (asked > 1) response.end('0123456789')
      else response.write('01234', () => response.destroy())
    })
    assert.ok((await ask(path)).isBroken)
    const whole = await ask(path)
    assert.deepEqual([whole.text, whole.isBroken, service.asked(path)], ['0123456789', false, 2])
  })

  it('is not kept when a chunked body breaks off', async () => {
    const path = service.at('/plain', (asked, _incoming, response) => {
      response.writeHead(200, minute)
      if (asked > 1) response.end('whole')
      else response.write('wh', () => response.destroy())
    })
    assert.ok((await ask(path)).isBroken)
    assert.equal((await ask(path)).text, 'whole')
  })

  it('carries its age, and keeps its date', async () => {
    const date = new Date(Date.now() - 5000).toUTCString()
    const path = answering({ ...minute, date, age: '30' })
    await ask(path)
    const { headers } = await ask(path)
    assert.ok(Number(headers['age']) >= 30)
    assert.equal(headers['date'], date)
  })

  it('belongs to its query as it was sent', async () => {
    const path = answering(minute)
    assert.equal((await ask(`${path}?a=1&b=2`)).text, '1')
    assert.equal((await ask(`${path}?b=2&a=1`)).text, '2')
    assert.equal((await ask(`${path}?a=1&b=2`)).text, '1')
    assert.equal((await ask(`${path}?a=1;b=2`)).text, '3')
  })

  it('is found under every spelling of its path that means the same', async () => {
    const path = answering(minute)
    await ask(path)
    assert.equal((await ask(`/plain/./${path.slice(7)}`)).text, '1')
    assert.equal((await ask(path.replace('plain', '%70lain'))).text, '1')
  })

  it('belongs to its host', async () => {
    const path = answering(minute)
    assert.equal((await ask(path, { headers: { host: 'a.example.com' } })).text, '1')
    assert.equal((await ask(path, { headers: { host: 'b.example.com' } })).text, '2')
    assert.equal((await ask(path, { headers: { host: 'A.example.com' } })).text, '1')
  })

  it('differs by what Vary names, on any of its lines, and by what the route names', async () => {
    const headers: Fields = { ...minute, vary: ['accept-language', 'x-colour'] }
    const path = answering(headers, { below: '/language' })
    const of = async (language: string, colour: string, shelf: string): Promise<string> =>
      (await ask(path, { headers: { 'accept-language': language, 'x-colour': colour, 'x-shelf': shelf } })).text
    const told = [await of('de', 'red', 'a'), await of('fr', 'red', 'a'), await of('de', 'blue', 'a'), await of('de', 'red', 'b')]
    assert.deepEqual(told, ['1', '2', '3', '4'])
    assert.equal(await of('de', 'red', 'a'), '1')
    assert.equal(await of('de', 'blue', 'a'), '3')
  })

  it('answers conditions, ranges and HEAD from what is stored', async () => {
    const path = service.at('/plain', (_asked, _incoming, response) =>
      response.writeHead(200, { ...minute, etag: '"one"', 'content-length': '10' }).end('0123456789'),
    )
    await ask(path)
    const matching = await ask(path, { headers: { 'if-none-match': 'W/"one"' } })
    assert.deepEqual([matching.status, matching.headers['etag'], matching.text], [304, '"one"', ''])
    const range = await ask(path, { headers: { range: 'bytes=2-4' } })
    assert.deepEqual([range.status, range.headers['content-range'], range.text], [206, 'bytes 2-4/10', '234'])
    const beyond = await ask(path, { headers: { range: 'bytes=10-' } })
    assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */10'])
    const head = await ask(path, { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '10', ''])
    assert.equal(service.asked(path), 1)
  })
})

/** A path that answers once, with an answer that is old already, and fails from then on. */
function failing(control: string): string {
  return service.at('/window', (asked, _incoming, response) => {
    if (asked > 1) response.writeHead(503).end()
    else response.writeHead(200, { 'cache-control': control, age: '100' }).end('kept')
  })
}

describe('a stale answer', () => {
  it('is asked about, and lives on by a 304 with its new fields', async () => {
    const path = service.at('/plain', (asked, incoming, response) => {
      if (asked === 1) return response.writeHead(200, { ...minute, age: '100', etag: '"v"', 'x-turn': '1' }).end('kept')
      assert.equal(incoming.headers['if-none-match'], '"v"')
      return response.writeHead(304, { ...minute, etag: '"v"', 'x-turn': '2' }).end()
    })
    await ask(path)
    const proven = await ask(path)
    assert.deepEqual([proven.status, proven.text, proven.headers['x-turn']], [200, 'kept', '2'])
    const again = await ask(path)
    assert.deepEqual([again.text, again.headers['x-turn'], service.asked(path)], ['kept', '2', 2])
  })

  it('is served at once while one request fetches it anew, where the route allows it', async () => {
    const fetched = Promise.withResolvers<void>()
    const path = service.at('/window', (asked, _incoming, response) => {
      response.writeHead(200, asked === 1 ? { ...minute, age: '100' } : minute).end(String(asked))
      if (asked === 2) fetched.resolve()
    })
    await ask(path)
    assert.equal((await ask(path)).text, '1')
    await fetched.promise
    while ((await ask(path)).text === '1');
    assert.equal(service.asked(path), 2)
  })

  it('stands in for a failure, but not where it must be asked about', async () => {
    const path = failing('max-age=60, stale-while-revalidate=0, stale-if-error=600')
    await ask(path)
    assert.deepEqual(await ask(path).then(({ status, text }) => [status, text]), [200, 'kept'])
    for (const strict of ['must-revalidate', 'proxy-revalidate', 'no-cache']) {
      const own = failing(`max-age=60, stale-if-error=600, ${strict}`)
      await ask(own)
      assert.equal((await ask(own)).status, 503, strict)
    }
  })
})

describe('clients', () => {
  it('cannot make the service work by Cache-Control or Pragma', async () => {
    const path = answering(minute)
    await ask(path)
    for (const [name, value] of [
      ['cache-control', 'no-cache'],
      ['cache-control', 'max-age=0'],
      ['pragma', 'no-cache'],
    ])
      assert.equal((await ask(path, { headers: { [name]: value } })).text, '1')
  })

  it('cannot poison an answer by fields that the service reads and the key lacks', async () => {
    const path = service.at('/plain', (asked, { headers }, response) => {
      const told = ['x-forwarded-host', 'x-forwarded-proto', 'x-original-url', 'x-rewrite-url', 'x-http-method-override']
      const seen = told.map((name) => headers[name] ?? '').join('|')
      response.writeHead(200, minute).end(`${asked} ${seen}`)
    })
    const evil = {
      'x-forwarded-host': 'evil.example',
      'x-original-url': '/evil',
      'x-rewrite-url': '/evil',
      'x-http-method-override': 'DELETE',
    }
    await ask(path, { headers: evil })
    assert.doesNotMatch((await ask(path)).text, /evil|DELETE/)
  })

  it('cannot poison an answer by the body of a GET', async () => {
    const path = service.at('/plain', (_asked, incoming, response) => {
      let text = ''
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()))
      incoming.on('end', () => response.writeHead(200, minute).end(`body: ${text}`))
    })
    await ask(path, { body: 'evil', headers: { 'content-length': '4' } })
    assert.equal((await ask(path)).text, 'body: ')
  })

  it('with credentials go past the cache, unless the route says otherwise', async () => {
    const told = service.at('/bypass', (asked, _incoming, response) => response.writeHead(200, publicMinute).end(String(asked)))
    const authorization = bearer('ada')
    assert.equal((await ask(told)).text, '1')
    assert.equal((await ask(told, { headers: { authorization } })).text, '2')
    assert.equal((await ask(told, { headers: { authorization } })).text, '3')
    assert.equal((await ask(told)).text, '1')
  })

  it('with credentials share by the letter of the standard where the route says rfc', async () => {
    const authorization = bearer('ada')
    const other = bearer('bob')
    const shared = answering(publicMinute, { below: '/rfc' })
    await ask(shared, { headers: { authorization } })
    assert.equal((await ask(shared, { headers: { authorization: other } })).text, '1')
    const apart = answering(minute, { below: '/rfc' })
    await ask(apart, { headers: { authorization } })
    assert.equal((await ask(apart, { headers: { authorization: other } })).text, '2')
    assert.equal((await ask(apart)).text, '3')
  })
})

describe('a thousand at once', () => {
  it('for one URL make one request to the service', async () => {
    const path = service.at('/plain', (asked, _incoming, response) => {
      // The others are let come before there is an answer.
      setTimeout(() => response.writeHead(200, minute).end(String(asked)), 500)
    })
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(path)))
    assert.deepEqual(new Set(answers.map(({ status, text }) => `${status} ${text}`)), new Set(['200 1']))
    assert.equal(service.asked(path), 1)
  })

  it('with different identities share nothing', async () => {
    const subjects = Array.from({ length: 1000 }, (_, i) => `user-${i}`)
    const path = service.at('/own', (_asked, { headers }, response) =>
      response.writeHead(200, publicMinute).end(String(headers['x-auth-subject'])),
    )
    const authorizations = new Map(subjects.map((sub) => [sub, bearer(sub)]))
    const texts = async (): Promise<string[]> => {
      const answers = subjects.map((sub) => ask(path, { headers: { authorization: authorizations.get(sub)! } }))
      return (await Promise.all(answers)).map(({ text }) => text)
    }
    const own = await texts()
    assert.ok(own.every((text, i) => text.endsWith(subjects[i])))
    assert.equal(new Set(own).size, 1000)
    assert.equal(service.asked(path), 1000)
    assert.deepEqual(await texts(), own)
  })

  it('with cookies of the service share nothing', async () => {
    const path = service.at('/plain', (_asked, { headers }, response) => response.writeHead(200, minute).end(headers.cookie))
    const asked = Array.from({ length: 1000 }, (_, i) => ask(path, { headers: { cookie: `sid=${i}` } }))
    const answers = await Promise.all(asked)
    assert.ok(answers.every(({ text }, i) => text === `sid=${i}`))
    assert.equal(service.asked(path), 1000)
  })

  it('do not wait one for another when nothing is kept', async () => {
    const path = service.at('/plain', (asked, _incoming, response) => {
      response.writeHead(200, { 'cache-control': 'no-store' }).end(String(asked))
    })
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(path)))
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1000)
  })
})

describe('what is stored ends', () => {
  it('by an unsafe request that succeeds, with those its answer names on the same origin', async () => {
    const named = answering(minute)
    const path = service.at('/plain', (asked, { method }, response) => {
      if (method === 'POST') response.writeHead(201, { location: named, 'content-location': 'http://evil.example/x' }).end()
      else response.writeHead(200, minute).end(String(asked))
    })
    await ask(path)
    await ask(named)
    await ask(path, { method: 'POST' })
    assert.equal((await ask(path)).text, '3')
    assert.equal((await ask(named)).text, '2')
  })

  it('not by one that fails', async () => {
    const path = service.at('/plain', (asked, { method }, response) => {
      if (method === 'POST') response.writeHead(500).end()
      else response.writeHead(200, minute).end(String(asked))
    })
    await ask(path)
    await ask(path, { method: 'POST' })
    assert.equal((await ask(path)).text, '1')
  })

  it('by a purge of its URL, its prefix or its tag, on every worker', async () => {
    const path = answering({ ...minute, 'cache-tag': 'chairs' })
    await ask(path)
    const base = await origin()
    const purges = [{ url: `${base}${path}` }, { prefix: `${base}/plain/` }, { tag: 'chairs' }]
    for (const [turn, what] of purges.entries()) {
      assert.equal((await ask(path)).text, String(turn + 1))
      await purge(what)
      // Over new connections, so that both workers are asked.
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(path)))
      assert.deepEqual(new Set(answers.map(({ text }) => text)), new Set([String(turn + 2)]))
    }
  })

  it('softly by a soft purge: it stands in for a failure still', async () => {
    const path = service.at('/window', (asked, _incoming, response) => {
      if (asked > 1) response.writeHead(500).end()
      else response.writeHead(200, { 'cache-control': 'max-age=60, stale-while-revalidate=0, stale-if-error=600' }).end('kept')
    })
    await ask(path)
    await purge({ tag: 'shelf', soft: true })
    const { status, text } = await ask(path)
    assert.deepEqual([status, text, service.asked(path)], [200, 'kept', 2])
  })
})

/** The origin under which clients of this test ask. */
async function origin(): Promise<string> {
  let host = ''
  const path = service.at('/plain', (_asked, incoming, response) => {
    host = String(incoming.headers['x-forwarded-host'])
    response.end()
  })
  await ask(path)
  return `http://${host}`
}
