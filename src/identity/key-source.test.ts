import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { LocalHub } from '../../test/support/local-hub.ts'
import { jwkSet, signingKey } from '../../test/support/token-issuer.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import { attachIdentityToHub } from './identity-hub.ts'
import type { IdentityHub } from './identity-hub.ts'
import type { IdentitySpec, TrustedIssuerSpec } from './identity-spec.ts'
import { keySourceName, keyTopic } from './key-messages.ts'
import { createKeySource } from './key-source.ts'
import type { KeySource } from './key-source.ts'
import { Rejection } from './rejection.ts'
import { VerificationKey } from './verification-key.ts'

const minute = 60_000
const hour = 60 * minute
const [first, other, third] = ['key-1', 'key-2', 'key-3'].map((kid) => signingKey('ES256', kid))

function issuerSpec(changes: Partial<TrustedIssuerSpec> = {}): TrustedIssuerSpec {
  return {
    name: 'partner',
    issuer: 'https://issuer.example.com',
    jwksUri: 'https://issuer.example.com/jwks.json',
    jwksFile: undefined,
    audience: ['api'],
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    tenant: undefined,
    tenants: undefined,
    maxLifetimeMs: 24 * hour,
    ...changes,
  }
}

const modelOf = (...trustedIssuers: TrustedIssuerSpec[]): { identity: IdentitySpec } => ({
  identity: { path: '/auth', tenantClaim: 'tenant', trustedIssuers, apiKeys: [] },
})

/** A node with one worker, whose issuer answers as `respond` says. */
class Node {
  readonly clock = new ManualClock()
  readonly hub = new LocalHub()
  readonly identity: IdentityHub
  readonly fetched: string[] = []
  respond: (url: string, init: RequestInit) => Response | Promise<Response> = () => new Response(jwkSet(first))
  readonly #sources: KeySource[] = []

  constructor() {
    const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
      this.fetched.push(url as string)
      return this.respond(url as string, init!)
    }
    this.identity = attachIdentityToHub(this.hub, { clock: this.clock, log: silentLog, meter: silentMeter, fetch })
  }

  source(spec: TrustedIssuerSpec): KeySource {
    const source = createKeySource(keySourceName(spec), this.hub.link(), this.clock, silentLog)
    this.#sources.push(source)
    return source
  }

  /** The source of the configuration's one issuer, after main has tried to load its keys. */
  async started(spec = issuerSpec()): Promise<KeySource> {
    await this.identity.prepare(modelOf(spec))
    this.identity.commit()
    const source = this.source(spec)
    await source.find('key-1')
    return source
  }

  /** Lets time pass and whatever main then does come to its end. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.settled()
  }

  /** Asks main nothing, and waits until everything that is under way between the threads is done. */
  async settled(): Promise<void> {
    for (let i = 0; i < 4; i++) await new Promise((resolve) => void setImmediate(resolve))
  }

  close(): void {
    for (const source of this.#sources) source.close()
    this.identity.close()
  }
}

let node: Node
afterEach(() => node.close())

/** Looks all of them up at once. */
function findAll(source: KeySource, kids: readonly string[]): Promise<(VerificationKey | Rejection)[]> {
  return Promise.all(kids.map(async (kid) => source.find(kid)))
}

const junk = (count: number, prefix = 'junk'): string[] => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

async function reasonOf(source: KeySource, kid: string): Promise<string> {
  const found = await source.find(kid)
  return found instanceof Rejection ? found.reason : `found ${found.kid}`
}

test('a worker has the keys of its issuer, and does not wait for a known one', async () => {
  node = new Node()
  const source = await node.started()
  const found = source.find('key-1')
  assert.ok(found instanceof VerificationKey)
  assert.equal(found.algorithm, 'ES256')
  assert.deepEqual(node.fetched, ['https://issuer.example.com/jwks.json'])
})

test('requests that come before the keys wait for them', async () => {
  node = new Node()
  const { promise, resolve } = Promise.withResolvers<Response>()
  node.respond = () => promise
  void node.identity.prepare(modelOf(issuerSpec()))
  const source = node.source(issuerSpec())
  const waiting = findAll(source, ['key-1', 'key-1', 'nobody'])
  await node.settled()
  resolve(new Response(jwkSet(first)))
  const [one, two, three] = await waiting
  assert.ok(one instanceof VerificationKey)
  assert.equal(one, two)
  assert.equal((three as Rejection).reason, 'unknown-key')
  assert.equal(node.fetched.length, 1)
})

test('ten thousand unknown key ids cost one fetch for each cool-down, and main one question a second', async () => {
  node = new Node()
  const source = await node.started()
  const flood = async (count: number): Promise<void> => {
    const found = await findAll(source, junk(count, `junk-${node.clock.monotonic()}`))
    for (const each of found) assert.equal((each as Rejection).reason, 'unknown-key')
  }
  await flood(10_000)
  assert.equal(node.fetched.length, 1)
  for (let passed = 1; passed <= 120; passed++) {
    await node.pass(1000)
    await flood(passed === 30 ? 10_000 : 10)
  }
  assert.equal(node.fetched.length, 1 + 4)
  assert.ok(node.hub.asked <= 2 + 120, `asked ${node.hub.asked} times`)
  assert.ok(source.find('key-1') instanceof VerificationKey)
})

test('a new key is found when the first token signed with it arrives', async () => {
  node = new Node()
  const source = await node.started()
  node.respond = () => new Response(jwkSet(first, other))
  assert.equal(await reasonOf(source, 'key-2'), 'unknown-key', 'not before the cool-down of the first load is over')
  await node.pass(30_000)
  assert.equal(await reasonOf(source, 'key-2'), 'found key-2')
  assert.ok(source.find('key-1') instanceof VerificationKey)
  assert.equal(node.fetched.length, 2)
})

test('one junk id that is sent all the time does not hide a new key', async () => {
  node = new Node()
  const source = await node.started()
  await node.pass(30_000)
  assert.equal(await reasonOf(source, 'junk'), 'unknown-key')
  node.respond = () => new Response(jwkSet(first, other))
  await node.pass(30_000)
  for (let i = 0; i < 10; i++) assert.equal(await reasonOf(source, 'junk'), 'unknown-key')
  assert.equal(node.fetched.length, 2, 'the id is remembered')
  assert.equal(await reasonOf(source, 'key-2'), 'found key-2')
})

test('an id is not believed to be missing for ever', async () => {
  node = new Node()
  const source = await node.started()
  node.respond = () => new Response(jwkSet(first), { headers: { 'cache-control': 'max-age=86400' } })
  await node.pass(30_000)
  assert.equal(await reasonOf(source, 'key-2'), 'unknown-key')
  node.respond = () => new Response(jwkSet(first, other))
  await node.pass(5 * minute - 1000)
  assert.equal(await reasonOf(source, 'key-2'), 'unknown-key')
  await node.pass(31_000)
  assert.equal(await reasonOf(source, 'key-2'), 'found key-2')
})

test('keys are loaded anew in the background after half of their max-age, and a withdrawn one dies', async () => {
  node = new Node()
  node.respond = () => new Response(jwkSet(first, other), { headers: { 'cache-control': 'public, max-age=600' } })
  const source = await node.started()
  const [old, withdrawn] = [source.find('key-1'), source.find('key-2')] as VerificationKey[]
  node.respond = () => new Response(jwkSet(first, third))
  await node.pass(5 * minute - 1)
  assert.equal(node.fetched.length, 1)
  await node.pass(1)
  assert.equal(node.fetched.length, 2)
  assert.equal(await reasonOf(source, 'key-3'), 'found key-3')
  assert.equal(withdrawn.isLive, false)
  assert.equal(source.find('key-1'), old, 'a key that stays is the same one, so what rests on it stays too')
  assert.equal(old.isLive, true)
  assert.equal(await reasonOf(source, 'key-2'), 'unknown-key')
})

test('a key that changes under its id is another key', async () => {
  node = new Node()
  const source = await node.started()
  const old = source.find('key-1') as VerificationKey
  node.respond = () => new Response(jwkSet(signingKey('ES256', 'key-1')))
  await node.pass(5 * minute)
  assert.equal(await reasonOf(source, 'key-2'), 'unknown-key', 'which waits until the new state is taken')
  assert.equal(old.isLive, false)
  assert.notEqual(source.find('key-1'), old)
})

test('an issuer that is down from the start: 503 for its tokens, few attempts, and recovery by itself', async () => {
  node = new Node()
  node.respond = () => Promise.reject(new TypeError('fetch failed'))
  const source = await node.started()
  const found = await findAll(source, junk(100))
  for (const each of found) assert.equal((each as Rejection).isUndecided, true)
  assert.equal(node.fetched.length, 1)
  for (let passed = 0; passed < 60; passed++) {
    await node.pass(1000)
    await findAll(source, junk(100))
  }
  assert.ok(node.fetched.length <= 8, `${node.fetched.length} attempts in a minute`)
  node.respond = () => new Response(jwkSet(first))
  await node.pass(30_000)
  assert.equal(await reasonOf(source, 'key-1'), 'found key-1')
  assert.equal(await reasonOf(source, 'key-9'), 'unknown-key')
})

test('an outage leaves the known keys in use for a day; an unknown id cannot be judged meanwhile', async () => {
  node = new Node()
  const source = await node.started()
  const key = source.find('key-1') as VerificationKey
  node.respond = () => new Response('down', { status: 503 })
  await node.pass(30_000)
  assert.equal(await reasonOf(source, 'key-2'), 'keys-unavailable')
  for (let passed = 0; passed < 23 * hour; passed += 5 * minute) await node.pass(5 * minute)
  assert.equal(source.find('key-1'), key)
  assert.equal(key.isLive, true)
  assert.ok(node.fetched.length < 300, `${node.fetched.length} attempts in 23 hours`)
  for (let passed = 0; passed < 2 * hour; passed += 5 * minute) await node.pass(5 * minute)
  assert.equal(await reasonOf(source, 'key-1'), 'keys-unavailable')
  assert.equal(key.isLive, false, 'tokens verified with it are not remembered any more')
  node.respond = () => new Response(jwkSet(first))
  await node.pass(5 * minute)
  assert.equal(await reasonOf(source, 'key-1'), 'found key-1')
})

const badAnswers: readonly (readonly [name: string, respond: () => Response | Promise<Response>])[] = [
  ['an error status', () => new Response('{}', { status: 500 })],
  ['a redirect', () => Promise.reject(new TypeError('unexpected redirect'))],
  ['no JSON', () => new Response('<html>')],
  ['no set', () => new Response('{"keys":{}}')],
  ['an empty set', () => new Response('{"keys":[]}')],
  ['no usable key', () => new Response(JSON.stringify({ keys: [{ kty: 'oct', kid: 'key-1', k: 'AAAA' }] }))],
  [
    'more than 100 keys',
    () => new Response(JSON.stringify({ keys: Array.from({ length: 101 }, (_, i) => ({ ...first.jwk, kid: `k${i}` })) })),
  ],
  ['more than 256 KiB', () => new Response(JSON.stringify({ keys: [first.jwk], filler: 'x'.repeat(256 * 1024) }))],
  ['an endless body', () => new Response(endless())],
]

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) })
}

for (const [name, respond] of badAnswers) {
  test(`${name} in place of a key set takes no good key away`, async () => {
    node = new Node()
    const source = await node.started()
    node.respond = respond
    await node.pass(30_000)
    assert.equal(await reasonOf(source, 'key-2'), 'keys-unavailable')
    assert.equal(node.fetched.length, 2)
    assert.ok(source.find('key-1') instanceof VerificationKey)
  })
}

test('redirects are not followed, and an issuer that does not answer is given up after three seconds', async () => {
  node = new Node()
  const seen: RequestInit[] = []
  node.respond = (_url, init) => {
    seen.push(init)
    const { promise, reject } = Promise.withResolvers<Response>()
    init.signal!.addEventListener('abort', () => reject(init.signal!.reason as Error))
    return promise
  }
  const prepared = node.identity.prepare(modelOf(issuerSpec()))
  await node.settled()
  assert.equal(seen[0].redirect, 'error')
  node.clock.advance(2999)
  await node.settled()
  assert.equal(seen[0].signal!.aborted, false)
  node.clock.advance(1)
  await prepared
  assert.equal(seen[0].signal!.aborted, true)
})

test('keys are fetched by https, or by http from loopback', async () => {
  node = new Node()
  await assert.rejects(node.identity.prepare(modelOf(issuerSpec({ jwksUri: 'http://issuer.example.com/jwks.json' }))), /https/)
  await node.identity.prepare(modelOf(issuerSpec({ jwksUri: 'http://127.0.0.1:7001/jwks.json' })))
  assert.deepEqual(node.fetched, ['http://127.0.0.1:7001/jwks.json'])
})

test("one issuer's junk does not use up another one's attempts", async () => {
  node = new Node()
  const [a, b] = ['a', 'b'].map((name) =>
    issuerSpec({ name, issuer: `https://${name}.example.com`, jwksUri: `https://${name}.example.com/jwks` }),
  )
  await node.identity.prepare(modelOf(a, b))
  const [ofA, ofB] = [node.source(a), node.source(b)]
  await Promise.all([ofA.find('key-1'), ofB.find('key-1')])
  await node.pass(30_000)
  for (let i = 0; i < 200; i++) await ofA.find(`junk-${i}`)
  node.respond = () => new Response(jwkSet(first, other))
  assert.equal(await reasonOf(ofA, 'key-2'), 'unknown-key')
  assert.equal(await reasonOf(ofB, 'key-2'), 'found key-2')
})

test('a worker whose main does not answer keeps what it has and judges nothing else', async () => {
  node = new Node()
  const source = await node.started()
  node.hub.isDown = true
  await node.pass(31_000)
  assert.equal(await reasonOf(source, 'key-2'), 'keys-unavailable')
  assert.ok(source.find('key-1') instanceof VerificationKey)
  node.hub.isDown = false
  await node.pass(1000)
  assert.equal(await reasonOf(source, 'key-2'), 'unknown-key')
})

test('a closed source hears nothing any more', async () => {
  node = new Node()
  const source = await node.started()
  const key = source.find('key-1') as VerificationKey
  source.close()
  node.respond = () => new Response(jwkSet(other))
  await node.pass(5 * minute)
  assert.equal(node.fetched.length, 2)
  assert.equal(key.isLive, true)
})

test('a commit lets go of issuers that only the configuration before had; a discarded change does not', async () => {
  node = new Node()
  const [a, b] = ['a', 'b'].map((name) =>
    issuerSpec({ name, issuer: `https://${name}.example.com`, jwksUri: `https://${name}.example.com/jwks` }),
  )
  await node.started(a)
  await node.identity.prepare(modelOf(b))
  node.identity.discard()
  assert.equal(await reasonOf(node.source(a), 'key-1'), 'found key-1')
  assert.equal(await reasonOf(node.source(b), 'key-1'), 'keys-unavailable')
  await node.identity.prepare(modelOf(b))
  node.identity.commit()
  assert.equal(await reasonOf(node.source(b), 'key-1'), 'found key-1')
  assert.equal(await reasonOf(node.source(a), 'key-1'), 'keys-unavailable')
  const before = node.fetched.filter((url) => url.startsWith('https://a')).length
  await node.pass(hour)
  assert.equal(node.fetched.filter((url) => url.startsWith('https://a')).length, before)
})

test('a key file is read at the start, watched, and a bad one changes nothing', async () => {
  node = new Node()
  const folder = mkdtempSync(join(tmpdir(), 'velum-keys-'))
  try {
    const jwksFile = join(folder, 'jwks.json')
    writeFileSync(jwksFile, jwkSet(first))
    const spec = issuerSpec({ jwksUri: undefined, jwksFile })
    const source = await node.started(spec)
    assert.ok(source.find('key-1') instanceof VerificationKey)
    const told = (): Promise<unknown> =>
      new Promise((resolve) => {
        const stop = node.hub.link().hear(keyTopic, (message) => {
          stop()
          resolve(message)
        })
      })
    const change = told()
    writeFileSync(jwksFile, jwkSet(other))
    node.clock.advance(5000)
    await change
    assert.equal(await reasonOf(source, 'key-2'), 'found key-2')
    const failure = told()
    writeFileSync(jwksFile, '{"keys":')
    node.clock.advance(5000)
    await failure
    assert.ok(source.find('key-2') instanceof VerificationKey)
    writeFileSync(jwksFile, jwkSet(other, third))
    await node.identity.prepare(modelOf(spec))
    assert.equal(await reasonOf(source, 'key-3'), 'found key-3', 'a reload reads it at once')
    assert.deepEqual(node.fetched, [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
