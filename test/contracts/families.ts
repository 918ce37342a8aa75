import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BusMessage, Families, NewFamily, Rotation, RotationOutcome } from '../../src/core/stores.ts'
import { all, over, until } from './store-harness.ts'
import type { OpenStore } from './store-harness.ts'

const graceMs = 10_000
const idleMs = 3_600_000
const lifeMs = 4 * idleMs

/** What every driver of `Families` and `Generations` does. */
export function familiesContract(name: string, open: OpenStore, options: { skip: string | false }): void {
  describe(`families of ${name}`, options, () => {
    it(
      'gives back what was created, once',
      over(open, async ({ stores: { families }, peer, clock }) => {
        const value = { subject: 'ada', scopes: [], tenant: 'x' }
        const made = { id: 'f', owner: 'ada', value, schema: 4, expiresAt: clock.now() + lifeMs }
        assert.equal(await families.create({ ...made, token: 't0', bound: 'client', idleMs }), true)
        assert.equal(await families.create({ ...made, token: 'tx', bound: 'client', idleMs }), false)
        const expected = { ...made, rotations: 0, rotatedAt: clock.now(), idleAt: clock.now() + idleMs, ended: undefined }
        assert.deepEqual(await peer.families.get('f'), expected)
        assert.equal(await families.get('g'), undefined)
      }),
    )

    it(
      'rotates the current token',
      over(open, async ({ stores: { families }, clock }) => {
        await create(families, clock.now())
        clock.advance(1000)
        const outcome = await families.rotate(rotation('t0', 't1'))
        assert.equal(outcome.kind, 'rotated')
        assert.deepEqual(outcome.kind === 'rotated' && outcome.family, await families.get('f'))
        const family = (await families.get('f'))!
        assert.equal(family.rotations, 1)
        assert.equal(family.rotatedAt, clock.now())
        assert.equal(family.idleAt, clock.now() + idleMs)
        assert.deepEqual(family.value, { subject: 'ada', scopes: [] })
        assert.equal((await families.rotate(rotation('t1', 't2'))).kind, 'rotated')
      }),
    )

    it(
      'turns 64 refreshes of one token at once into one rotation and one successor',
      over(open, async ({ stores, peer, clock }) => {
        await create(stores.families, clock.now())
        const outcomes = await all(64, (i) => (i % 2 === 0 ? stores : peer).families.rotate(rotation('t0', `new-${i}`)))
        const rotated = outcomes.flatMap((outcome, i) => (outcome.kind === 'rotated' ? [i] : []))
        assert.equal(rotated.length, 1)
        const sealed = outcomes.flatMap((outcome) => (outcome.kind === 'replayed' ? [outcome.sealed] : []))
        assert.equal(sealed.length, 63)
        assert.deepEqual([...new Set(sealed)], [`sealed(new-${rotated[0]})`])
        assert.equal((await stores.families.rotate(rotation(`new-${rotated[0]}`, 'next'))).kind, 'rotated')
      }),
    )

    it(
      'gives the same successor to a retry until the end of the grace, which no retry renews',
      over(open, async ({ stores: { families }, clock }) => {
        await create(families, clock.now())
        await families.rotate(rotation('t0', 't1'))
        for (const step of [0, 6000, 4000]) {
          clock.advance(step)
          const outcome = await families.rotate(rotation('t0', 'never-used'))
          assert.deepEqual([outcome.kind, outcome.kind === 'replayed' && outcome.sealed], ['replayed', 'sealed(t1)'])
        }
        clock.advance(1)
        const outcome = await families.rotate(rotation('t0', 'never-used'))
        assert.deepEqual([outcome.kind, outcome.kind === 'reused' && outcome.isLate], ['reused', true])
        assert.equal((await families.rotate(rotation('t1', 't2'))).kind, 'ended')
      }),
    )

    it(
      'ends the family when an older token is used, even inside the grace',
      over(open, async ({ stores: { families }, clock }) => {
        await create(families, clock.now())
        await families.rotate(rotation('t0', 't1'))
        await families.rotate(rotation('t1', 't2'))
        const outcome = await families.rotate(rotation('t0', 'stolen'))
        assert.deepEqual([outcome.kind, outcome.kind === 'reused' && outcome.isLate], ['reused', false])
        assert.equal(outcome.kind === 'reused' && outcome.family.ended, 'reuse')
        assert.equal((await families.get('f'))!.ended, 'reuse')
        for (const token of ['t0', 't1', 't2', 'stolen', 'anything'])
          assert.equal((await families.rotate(rotation(token, 'x'))).kind, 'ended')
      }),
    )

    it(
      'takes an older token for no theft when it was sent before the last rotation, as after a partition',
      over(open, async ({ stores: { families }, clock }) => {
        await create(families, clock.now())
        clock.advance(5000)
        await families.rotate(rotation('t0', 't1'))
        await families.rotate(rotation('t1', 't2'))
        clock.advance(-4000)
        assert.equal((await families.rotate(rotation('t0', 'late'))).kind, 'overtaken')
        clock.advance(4000)
        assert.equal((await families.rotate(rotation('t2', 't3'))).kind, 'rotated')
      }),
    )

    it(
      'announces a reuse in the same step, once',
      over(open, async ({ stores, peer, clock }) => {
        const heard: BusMessage[] = []
        const following = await peer.bus.follow({ reload: () => {}, hear: (message) => heard.push(message) })
        await create(stores.families, clock.now())
        await stores.families.rotate(rotation('t0', 't1'))
        await stores.families.rotate(rotation('t1', 't2'))
        await all(8, () => stores.families.rotate(rotation('t0', 'x')))
        await until(() => heard.length > 0)
        await stores.bus.append({ topic: 'end', key: 'f', data: null, keepUntil: 0 })
        await until(() => heard.some(({ topic }) => topic === 'end'))
        following.stop()
        assert.deepEqual(
          heard.map(({ topic, key, data }) => [topic, key, data]),
          [
            ['family', 'f', { why: 'reuse' }],
            ['end', 'f', null],
          ],
        )
      }),
    )

    it(
      'refuses another client and another question without harm',
      over(open, async ({ stores: { families }, clock }) => {
        await create(families, clock.now())
        assert.equal((await families.rotate({ ...rotation('t0', 't1'), bound: 'other' })).kind, 'mismatched')
        assert.equal((await families.rotate({ ...rotation('junk', 't1'), bound: 'other' })).kind, 'mismatched')
        assert.equal((await families.rotate(rotation('t0', 't1'))).kind, 'rotated')
        assert.equal((await families.rotate({ ...rotation('t0', 'x'), asked: 'more scopes' })).kind, 'mismatched')
        assert.equal((await families.rotate(rotation('t0', 'x'))).kind, 'replayed')
        assert.equal((await families.rotate({ ...rotation('t1', 't2'), asked: 'fewer scopes' })).kind, 'rotated')
      }),
    )

    it(
      'expires when idle, and no rotation moves the absolute end',
      over(open, async ({ stores: { families }, clock }) => {
        const end = clock.now() + lifeMs
        await create(families, clock.now())
        const seen: RotationOutcome['kind'][] = []
        for (let i = 0; clock.now() + idleMs - 1 < end; i++) {
          clock.advance(idleMs - 1)
          const outcome = await families.rotate(rotation(`t${i}`, `t${i + 1}`))
          seen.push(outcome.kind)
          if (outcome.kind === 'rotated') assert.ok(outcome.family.idleAt <= end && outcome.family.expiresAt === end)
        }
        assert.deepEqual(seen, ['rotated', 'rotated', 'rotated', 'rotated'])
        clock.advance(end - clock.now())
        assert.equal((await families.rotate(rotation('t4', 't5'))).kind, 'unknown')
        assert.equal(await families.get('f'), undefined)
        await create(families, clock.now(), { id: 'g' })
        clock.advance(idleMs)
        assert.equal((await families.rotate({ ...rotation('t0', 't1'), id: 'g' })).kind, 'expired')
      }),
    )

    it(
      'knows nothing of a family that never was',
      over(open, async ({ stores: { families } }) => {
        assert.equal((await families.rotate(rotation('t0', 't1'))).kind, 'unknown')
        assert.equal(await families.end('f', 'logout'), undefined)
      }),
    )

    it(
      'stays ended once ended: no refresh in flight outlives it',
      over(open, async ({ stores, peer, clock }) => {
        for (let round = 0; round < 10; round++) {
          const id = `f${round}`
          await create(stores.families, clock.now(), { id })
          const work = all(8, (i) => stores.families.rotate({ ...rotation('t0', `n${i}`), id }))
          const ending = peer.families.end(id, 'logout', { topic: 'family', data: null, keepUntil: 0 })
          const outcomes = await work
          await ending
          assert.equal((await stores.families.get(id))!.ended, 'logout')
          for (const token of ['t0', ...Array.from({ length: 8 }, (_, i) => `n${i}`)])
            assert.equal((await stores.families.rotate({ ...rotation(token, 'x'), id })).kind, 'ended')
          assert.ok(outcomes.every(({ kind }) => kind === 'rotated' || kind === 'replayed' || kind === 'ended'))
        }
      }),
    )

    it(
      'returns the active family that it ended, and keeps the first reason',
      over(open, async ({ stores: { families }, clock }) => {
        await create(families, clock.now())
        const active = await families.get('f')
        assert.deepEqual(await families.end('f', 'logout'), active)
        assert.equal(await families.end('f', 'again'), undefined)
        assert.equal((await families.get('f'))!.ended, 'logout')
      }),
    )

    it(
      'knows the active families of an owner, the longest-lived first',
      over(open, async ({ stores: { families }, peer, clock }) => {
        const now = clock.now()
        for (const [id, ms] of [
          ['a', 1],
          ['b', 3],
          ['c', 2],
        ] as const)
          await create(families, now, { id, expiresAt: now + lifeMs + ms })
        await create(families, now, { id: 'x', owner: 'bob' })
        const ids = async (limit = 10): Promise<string[]> => (await peer.families.owned('ada', limit)).map(({ id }) => id)
        assert.deepEqual(await ids(), ['b', 'c', 'a'])
        assert.deepEqual(await ids(2), ['b', 'c'])
        await families.end('b', 'logout')
        assert.deepEqual(await ids(2), ['c', 'a'])
        await families.rotate({ ...rotation('t0', 't1'), id: 'c' })
        await families.rotate({ ...rotation('t1', 't2'), id: 'c' })
        await families.rotate({ ...rotation('t0', 'stolen'), id: 'c' })
        assert.deepEqual(await ids(), ['a'])
        clock.advance(idleMs)
        assert.deepEqual(await ids(), [])
      }),
    )
  })

  describe(`generations of ${name}`, options, () => {
    it(
      'only grow, by one for each call',
      over(open, async ({ stores: { generations }, peer }) => {
        assert.equal(await generations.of('ada'), 0)
        const raised = await all(20, (i) => (i % 2 === 0 ? generations : peer.generations).raise('ada', 'subject', 0))
        assert.deepEqual(
          raised.sort((a, b) => a - b),
          Array.from({ length: 20 }, (_, i) => i + 1),
        )
        assert.equal(await peer.generations.of('ada'), 20)
        assert.equal(await generations.of('bob'), 0)
      }),
    )

    it(
      'are never forgotten',
      over(open, async ({ stores: { generations }, clock }) => {
        await generations.raise('ada', 'subject', clock.now() + 1000)
        clock.advance(1e12)
        assert.equal(await generations.of('ada'), 1)
        assert.equal(await generations.raise('ada', 'subject', 0), 2)
      }),
    )

    it(
      'are announced in order',
      over(open, async ({ stores, peer, clock }) => {
        const heard: unknown[] = []
        const following = await peer.bus.follow({
          reload: () => {},
          hear: ({ topic, key, data }) => heard.push([topic, key, data]),
        })
        await all(5, () => stores.generations.raise('ada', 'subject', clock.now() + 1000))
        await until(() => heard.length >= 5)
        following.stop()
        assert.deepEqual(
          heard,
          [1, 2, 3, 4, 5].map((n) => ['subject', 'ada', n]),
        )
      }),
    )
  })
}

async function create(families: Families, now: number, given: Partial<NewFamily> = {}): Promise<void> {
  const isCreated = await families.create({
    id: 'f',
    owner: 'ada',
    value: { subject: 'ada', scopes: [] },
    schema: 1,
    token: 't0',
    bound: 'client',
    idleMs,
    expiresAt: now + lifeMs,
    ...given,
  })
  assert.equal(isCreated, true)
}

function rotation(presented: string, successor: string): Rotation {
  const onReuse = { topic: 'family', data: { why: 'reuse' }, keepUntil: 0 }
  return { id: 'f', presented, successor, sealed: `sealed(${successor})`, bound: 'client', asked: '', graceMs, idleMs, onReuse }
}
