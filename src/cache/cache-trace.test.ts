import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheWorld } from '../../test/support/cache-world.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { Trace } from '../core/trace.ts'

test('the trace of a request is told what became of it at the cache, as metrics count it', async () => {
  const world = new CacheWorld()
  world.respond = (_x, { headers }) =>
    headers.has('if-none-match')
      ? { status: 304 }
      : {
          headers: [
            ['cache-control', 'max-age=10'],
            ['etag', '"v"'],
          ],
        }
  const get = world.client(await world.worker(), { staleWhileRevalidateMs: 5000, obeysClients: true })
  const told: string[] = []
  class Listening extends Trace {
    override cached(result: string): void {
      told.push(result)
    }
  }
  const ask = (headers: readonly string[] = [], method = 'GET', target = '/a'): Promise<unknown> =>
    get({ target, method, headers }, (x) => {
      x.trace = new Listening('a'.repeat(32), 'b'.repeat(16), undefined, new ManualClock(), () => 'c'.repeat(16))
    })
  await ask()
  await ask()
  await ask(['authorization', 'Bearer x'])
  await ask([], 'POST', '/b')
  await ask(['cache-control', 'only-if-cached'], 'GET', '/c')
  world.clock.advance(12_000)
  await ask()
  world.clock.advance(60_000)
  await ask()
  assert.deepEqual(told, ['miss', 'hit', 'bypass', 'bypass', 'miss', 'stale', 'revalidated'])
})
