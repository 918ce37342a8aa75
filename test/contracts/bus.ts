import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BusListener, BusMessage } from '../../src/core/stores.ts'
import { all, over, until } from './store-harness.ts'
import type { OpenStore } from './store-harness.ts'

/** What every driver of `Bus` does. */
export function busContract(name: string, open: OpenStore, options: { skip: string | false }): void {
  describe(`bus of ${name}`, options, () => {
    it(
      'reaches every follower, in order, with everything that was said',
      over(open, async ({ stores, peer, clock }) => {
        const here = listener()
        const there = listener()
        const followings = [await stores.bus.follow(here), await peer.bus.follow(there)]
        const keepUntil = clock.now() + 1000
        for (let i = 0; i < 5; i++) await stores.bus.append({ topic: 'purge', key: 'k', data: { i, list: [] }, keepUntil })
        await until(() => here.heard.length >= 5 && there.heard.length >= 5)
        const expected = [0, 1, 2, 3, 4].map((i) => ({
          topic: 'purge',
          key: 'k',
          data: { i, list: [] },
          keepUntil,
          at: clock.now(),
        }))
        assert.deepEqual(here.heard, expected)
        assert.deepEqual(there.heard, expected)
        for (const following of followings) following.stop()
      }),
    )

    it(
      'gives who comes later what is kept and alive, the latest of each key',
      over(open, async ({ stores, peer, clock }) => {
        const { bus } = stores
        const now = clock.now()
        await bus.append({ topic: 'revoked', key: 'a', data: 1, keepUntil: now + 1000 })
        await bus.append({ topic: 'revoked', key: 'a', data: 2, keepUntil: now + 2000 })
        await bus.append({ topic: 'boxed', key: 'a', data: 3, keepUntil: Infinity })
        await bus.append({ topic: 'revoked', key: 'short', data: 4, keepUntil: now + 500 })
        await bus.append({ topic: 'boxed', key: 'lifted', data: 5, keepUntil: now + 1000 })
        await bus.append({ topic: 'boxed', key: 'lifted', data: 6, keepUntil: now })
        await bus.append({ topic: 'purge', key: '', data: 7, keepUntil: now + 1000 })
        await bus.append({ topic: 'purge', key: 'gone', data: 8, keepUntil: 0 })
        clock.advance(500)
        const late = listener()
        const following = await peer.bus.follow(late)
        following.stop()
        const live = late.loads[0].map(({ topic, key, data, keepUntil }) => [topic, key, data, keepUntil])
        assert.deepEqual(
          live.sort((a, b) => (String(a) < String(b) ? -1 : 1)),
          [
            ['boxed', 'a', 3, Infinity],
            ['revoked', 'a', 2, now + 2000],
          ],
        )
        assert.deepEqual(late.firsts, [true])
        assert.equal(late.loads[0].find(({ topic }) => topic === 'revoked')!.at, now)
      }),
    )

    it(
      'loads ten thousand live messages before it says that it follows',
      over(open, async ({ stores, peer, clock }) => {
        const keepUntil = clock.now() + 60_000
        for (let i = 0; i < 10_000; i += 500) {
          await all(500, (j) => stores.bus.append({ topic: 'revoked', key: `s${i + j}`, data: '', keepUntil }))
        }
        const booting = listener()
        const following = await peer.bus.follow(booting)
        following.stop()
        assert.equal(new Set(booting.loads[0].map(({ key }) => key)).size, 10_000)
      }),
    )

    it(
      'lets nothing fall between the live set and the stream',
      over(open, async ({ stores, peer, clock }) => {
        const keepUntil = clock.now() + 60_000
        const end = new AbortController()
        let last = 0
        const writing = (async () => {
          while (!end.signal.aborted) await stores.bus.append({ topic: 'revoked', key: `s${last++}`, data: '', keepUntil })
        })()
        const followers: Heard[] = []
        for (let i = 0; i < 5; i++) {
          const one = listener()
          followers.push(one)
          await peer.bus.follow(one)
        }
        end.abort()
        await writing
        for (const one of followers) {
          const known = (): number => new Set([...one.loads[0], ...one.heard].map(({ key }) => key)).size
          await until(() => known() === last)
          assert.ok(one.firsts.length === 1 && one.firsts[0])
        }
      }),
    )

    it(
      'announces what a removal says, whether or not something was there',
      over(open, async ({ stores, peer, clock }) => {
        const one = listener()
        const following = await peer.bus.follow(one)
        const notice = { topic: 'session', data: { why: 'logout' }, keepUntil: clock.now() + 1000 }
        const expiresAt = clock.now() + 1000
        await stores.records.create({ kind: 'session', id: 's', owner: 'ada', value: {}, schema: 1, expiresAt })
        assert.equal((await stores.records.remove('session', 's', notice))!.id, 's')
        assert.equal(await stores.records.remove('session', 's', notice), undefined)
        await stores.families.end('f', 'logout', { ...notice, topic: 'family' })
        await until(() => one.heard.length >= 3)
        following.stop()
        // Only messages of one key keep their order: a cluster has several streams.
        const heard = one.heard.map(({ topic, key, data }) => `${topic} ${key} ${JSON.stringify(data)}`).sort()
        assert.deepEqual(heard, ['family f {"why":"logout"}', 'session s {"why":"logout"}', 'session s {"why":"logout"}'])
        const late = listener()
        ;(await peer.bus.follow(late)).stop()
        assert.deepEqual(late.loads[0].map(({ topic, key }) => `${topic} ${key}`).sort(), ['family f', 'session s'])
      }),
    )

    it(
      'stops when it is told to, and says how far it has come',
      over(open, async ({ stores, peer, clock }) => {
        const one = listener()
        const other = listener()
        const before = clock.monotonic()
        const following = await peer.bus.follow(one)
        const second = await peer.bus.follow(other)
        assert.ok(following.caughtUpAt >= before && following.caughtUpAt <= clock.monotonic())
        following.stop()
        await stores.bus.append({ topic: 'purge', key: '', data: 1, keepUntil: 0 })
        const appendedAt = clock.monotonic()
        await until(() => other.heard.length > 0 && second.caughtUpAt >= appendedAt)
        assert.deepEqual(one.heard, [])
        second.stop()
      }),
    )
  })
}

interface Heard extends BusListener {
  readonly loads: (readonly BusMessage[])[]
  readonly firsts: boolean[]
  readonly heard: BusMessage[]
}

function listener(): Heard {
  const loads: (readonly BusMessage[])[] = []
  const firsts: boolean[] = []
  const heard: BusMessage[] = []
  return {
    loads,
    firsts,
    heard,
    reload(live, isFirst) {
      loads.push(live)
      firsts.push(isFirst)
    },
    hear: (message) => void heard.push(message),
  }
}
