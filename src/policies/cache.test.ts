import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { optionFaults } from '../../test/support/option-faults.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { allocateCache, smallestCacheBytes } from '../cache/cache-memory.ts'
import { Answer } from '../core/answer.ts'
import { textBody } from '../core/body.ts'
import type { Handler } from '../core/handler.ts'
import { Headers } from '../core/headers.ts'
import type { Link } from '../core/link.ts'
import { cache } from './cache.ts'
import type { CacheInput } from './cache.ts'
import type { PolicyEnv } from './policy-kind.ts'

const link: Link = { ask: () => Promise.resolve([]), tell() {}, hear: () => () => {} }

function env(): PolicyEnv {
  const { shared } = policyEnv()
  return policyEnv({ link, shared: { ...shared, cache: allocateCache({ maxBytes: smallestCacheBytes, workers: 1 }) } })
}

/** A route with this cache in front of a service that counts its requests. */
async function route(input: CacheInput): Promise<(headers?: readonly string[]) => Promise<string>> {
  const built = cache.build(cache.options.parse(input), env())!
  let asked = 0
  const service: Handler = () => new Answer(200, Headers.from([['cache-control', 'max-age=60']]), textBody(String(++asked)))
  const handler = built.policies[0].wrap!(service)
  await Promise.resolve()
  return async (headers = []) => String((await handler(exchangeOf({ headers }))).body.bytes)
}

describe('the cache of a route', () => {
  it('answers again what the service allows to be stored', async () => {
    const get = await route(true)
    assert.deepEqual([await get(), await get()], ['1', '1'])
  })

  it('is off when it is switched off', () => {
    assert.equal(cache.build(cache.options.parse(false), env()), undefined)
  })

  it("does not mind the gateway's own cookies, and minds all others", async () => {
    const get = await route(true)
    await get()
    assert.equal(await get(['cookie', '__Host-Http-velum=secret']), '1')
    assert.equal(await get(['cookie', '__Host-Http-velum=secret; lang=de']), '2')
  })

  it('tells answers apart by the fields it is told', async () => {
    const get = await route({ vary: ['X-Plan'] })
    assert.deepEqual([await get(['x-plan', 'a']), await get(['x-plan', 'b']), await get(['x-plan', 'a'])], ['1', '2', '1'])
  })

  it('needs memory', () => {
    assert.throws(() => cache.build(cache.options.parse(true), policyEnv()), /there is no memory for a cache/)
  })

  it('says what is wrong with its options', () => {
    const wrong = { ttl: 'soon', authorized: 'never', max: 'big', tags: [''], colour: 1 } as unknown as CacheInput
    const faults = optionFaults(cache.options, wrong).map((fault) => fault.split(':')[0])
    for (const path of ['ttl', 'tags.0', 'authorized', 'max']) assert.ok(faults.includes(path), `${path} in ${faults.join()}`)
  })
})
