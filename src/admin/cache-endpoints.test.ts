import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Answer } from '../core/answer.ts'
import { textBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import type { Purge } from '../cache/purges.ts'
import { createAdminHandler } from './admin-handler.ts'
import { cacheEndpoints } from './cache-endpoints.ts'

/** An admin surface over a cache that notes what it is told to purge. */
function admin(heard: () => Promise<boolean>, isStoreDown = false): { call: (body: string) => Promise<Answer>; purged: Purge[] } {
  const purged: Purge[] = []
  const endpoints = cacheEndpoints({
    cache: {
      state: { maxBytes: 1, usedBytes: 0, purges: 0 },
      async purge(purge) {
        purged.push(purge)
        if (isStoreDown) throw new Fault('store-down')
      },
    },
    families: () => [],
    heard,
  })
  const handler = createAdminHandler({
    endpoints,
    tokens: { admin: 'a', metrics: 'm', roleOf: () => 'admin' } as unknown as Parameters<typeof createAdminHandler>[0]['tokens'],
    isOwnHost: () => true,
  })
  const call = async (body: string): Promise<Answer> =>
    handler(
      exchangeOf({
        method: 'POST',
        target: '/api/cache/purge',
        headers: ['authorization', 'Bearer a', 'content-type', 'application/json'],
        body: textBody(body),
      }),
    )
  return { call, purged }
}

test('a purge is answered once all workers have heard of it, and one that has not is told of', async () => {
  const heard = Promise.withResolvers<boolean>()
  const { call, purged } = admin(() => heard.promise)
  const answered = call('{"tag":"a"}')
  assert.equal(await Promise.race([answered, new Promise<string>((resolve) => void setTimeout(resolve, 0, 'waits'))]), 'waits')
  assert.deepEqual(purged, [{ kind: 'tag', value: 'a', isSoft: false }])
  heard.resolve(true)
  assert.equal((await answered).status, 204)
  const late = await admin(async () => false).call('{"url":"/a","soft":true}')
  assert.equal(late.status, 202)
  assert.equal(String(late.body.bytes), '{"pending":true}')
})

test('what is no purge is refused, and a store that other nodes cannot hear by is told of', async () => {
  const { call, purged } = admin(async () => true)
  for (const body of ['', '[]', '{}', '{"url":"/a","tag":"b"}', '{"url":7}', '{"url":"/a","soft":"yes"}', '{"url":"/a","x":1}'])
    assert.equal((await call(body)).status, 400, body)
  assert.deepEqual(purged, [])
  assert.equal((await admin(async () => true, true).call('{"url":"/a"}')).status, 503)
})
