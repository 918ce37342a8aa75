import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NewRecord, RecordKind, Records, StoredRecord } from '../../src/core/stores.ts'
import { all, over } from './store-harness.ts'
import type { OpenStore } from './store-harness.ts'

const hourMs = 3_600_000

/** What every driver of `Records` and `AuditLog` does. */
export function recordsContract(name: string, open: OpenStore, options: { skip: string | false }): void {
  describe(`records of ${name}`, options, () => {
    it(
      'gives back what was created',
      over(open, async ({ stores: { records }, peer, clock }) => {
        const expiresAt = clock.now() + hourMs
        const value = { name: 'Ada', roles: [], nested: { empty: {}, text: 'é😀"\\\u0000', number: 1.5, nothing: null } }
        const version = await records.create({ kind: 'session', id: 'a/b:{c}', owner: 'ada', value, schema: 3, expiresAt })
        assert.ok(version !== undefined && version > 0)
        const expected = { id: 'a/b:{c}', owner: 'ada', value, schema: 3, version, expiresAt }
        assert.deepEqual(await records.get('session', 'a/b:{c}'), expected)
        assert.deepEqual(await peer.records.get('session', 'a/b:{c}'), expected)
        assert.equal(await records.get('user', 'a/b:{c}'), undefined)
      }),
    )

    it(
      'never gives back a value that a caller still holds',
      over(open, async ({ stores: { records } }) => {
        const value = { roles: ['staff'] }
        await create(records, { id: 'a', value })
        value.roles.push('admin')
        const read = await records.get('session', 'a')
        assert.deepEqual(read!.value, { roles: ['staff'] })
        assert.ok(Array.isArray(read!.value.roles))
        read!.value.roles.push('admin')
        assert.deepEqual((await records.get('session', 'a'))!.value, { roles: ['staff'] })
      }),
    )

    it(
      'creates once',
      over(open, async ({ stores: { records } }) => {
        const versions = await all(20, (i) => create(records, { id: 'a', value: { i } }))
        const winner = versions.findIndex((version) => version !== undefined)
        assert.equal(versions.filter((version) => version !== undefined).length, 1)
        assert.deepEqual((await records.get('session', 'a'))!.value, { i: winner })
      }),
    )

    it(
      'updates exactly the version that was read',
      over(open, async ({ stores: { records }, clock }) => {
        await create(records, { id: 'a', value: { n: 0 } })
        const read = (await records.get('session', 'a'))!
        const expiresAt = clock.now() + 2 * hourMs
        const versions = await all(20, (i) => records.update('session', read, { value: { n: i + 1 }, schema: 2, expiresAt }))
        const winner = versions.findIndex((version) => version !== undefined)
        assert.equal(versions.filter((version) => version !== undefined).length, 1)
        const now = (await records.get('session', 'a'))!
        assert.deepEqual(now, { ...read, value: { n: winner + 1 }, schema: 2, expiresAt, version: versions[winner] })
        assert.notEqual(now.version, read.version)
      }),
    )

    it(
      'never loses an update that is repeated until it wins',
      over(open, async ({ stores: { records }, peer }) => {
        await create(records, { id: 'a', value: { n: 0 } })
        await all(20, (i) => addOne(i % 2 === 0 ? records : peer.records))
        assert.equal((await records.get('session', 'a'))!.value.n, 20)
      }),
    )

    it(
      'does not revive what was removed, nor confuse it with its successor',
      over(open, async ({ stores: { records } }) => {
        await create(records, { id: 'a', value: { who: 'first' } })
        const read = (await records.get('session', 'a'))!
        await records.remove('session', 'a')
        const change = { value: { who: 'revived' }, schema: 1, expiresAt: read.expiresAt }
        assert.equal(await records.update('session', read, change), undefined)
        assert.equal(await records.get('session', 'a'), undefined)
        await create(records, { id: 'a', value: { who: 'second' } })
        assert.equal(await records.update('session', read, change), undefined)
        assert.deepEqual((await records.get('session', 'a'))!.value, { who: 'second' })
      }),
    )

    it(
      'gives what it removes to one caller only',
      over(open, async ({ stores: { records }, peer }) => {
        await create(records, { kind: 'login', id: 'state', value: { nonce: 'n' } })
        const taken = await all(20, (i) => (i % 2 === 0 ? records : peer.records).remove('login', 'state'))
        const winners = taken.filter((record) => record !== undefined)
        assert.deepEqual(
          winners.map(({ value }) => value),
          [{ nonce: 'n' }],
        )
        assert.equal(await records.get('login', 'state'), undefined)
      }),
    )

    it(
      'forgets at the moment of expiry, not later',
      over(open, async ({ stores: { records }, clock }) => {
        await create(records, { id: 'a', owner: 'ada', expiresAt: clock.now() + 1000 })
        await create(records, { kind: 'user', id: 'ada', expiresAt: Infinity })
        const read = (await records.get('session', 'a'))!
        clock.advance(999)
        assert.ok(await records.get('session', 'a'))
        assert.equal((await records.owned('session', 'ada', 10)).length, 1)
        clock.advance(1)
        assert.equal(await records.get('session', 'a'), undefined)
        assert.deepEqual(await records.owned('session', 'ada', 10), [])
        assert.deepEqual(await listAll(records, 'session', 10), [])
        const change = { value: {}, schema: 1, expiresAt: clock.now() + hourMs }
        assert.equal(await records.update('session', read, change), undefined)
        assert.equal(await records.remove('session', 'a'), undefined)
        clock.advance(1e13)
        assert.equal((await records.get('user', 'ada'))!.expiresAt, Infinity)
      }),
    )

    it(
      'lets a new record take the id of an expired one, with another owner',
      over(open, async ({ stores: { records }, clock }) => {
        await create(records, { id: 'a', owner: 'ada', expiresAt: clock.now() + 1000 })
        clock.advance(1000)
        assert.notEqual(await create(records, { id: 'a', owner: 'bob', expiresAt: clock.now() + hourMs }), undefined)
        assert.deepEqual(await records.owned('session', 'ada', 10), [])
        assert.deepEqual(ids(await records.owned('session', 'bob', 10)), ['a'])
      }),
    )

    it(
      'prolongs and shortens by update',
      over(open, async ({ stores: { records }, clock }) => {
        await create(records, { id: 'a', owner: 'ada', expiresAt: clock.now() + 1000 })
        const first = (await records.get('session', 'a'))!
        await records.update('session', first, { value: {}, schema: 1, expiresAt: clock.now() + 5000 })
        clock.advance(4999)
        const second = (await records.get('session', 'a'))!
        assert.equal((await records.owned('session', 'ada', 10)).length, 1)
        await records.update('session', second, { value: {}, schema: 1, expiresAt: clock.now() })
        assert.equal(await records.get('session', 'a'), undefined)
      }),
    )

    it(
      'knows what an owner has, the longest-lived first',
      over(open, async ({ stores: { records }, peer, clock }) => {
        const now = clock.now()
        for (const [id, ms] of [
          ['a', 1000],
          ['b', 3000],
          ['c', 2000],
          ['d', Infinity],
        ] as const)
          await create(records, { id, owner: 'ada', expiresAt: now + ms })
        await create(records, { id: 'x', owner: 'bob' })
        await create(records, { kind: 'api-key', id: 'k', owner: 'ada' })
        await create(records, { id: 'nobodys', owner: '' })
        assert.deepEqual(ids(await records.owned('session', 'ada', 10)), ['d', 'b', 'c', 'a'])
        assert.deepEqual(ids(await peer.records.owned('session', 'ada', 2)), ['d', 'b'])
        await records.remove('session', 'b')
        assert.deepEqual(ids(await records.owned('session', 'ada', 10)), ['d', 'c', 'a'])
        assert.deepEqual(ids(await records.owned('api-key', 'ada', 10)), ['k'])
        assert.deepEqual(await records.owned('session', '', 10), [])
        assert.deepEqual(await records.owned('session', 'nobody', 10), [])
      }),
    )

    it(
      'loses no entry of an index when many sessions begin and end at once',
      over(open, async ({ stores: { records } }) => {
        await all(60, (i) => create(records, { id: `s${i}`, owner: 'ada' }))
        await all(30, (i) => records.remove('session', `s${i * 2}`))
        const left = ids(await records.owned('session', 'ada', 100))
        assert.deepEqual(left.sort(), Array.from({ length: 30 }, (_, i) => `s${i * 2 + 1}`).sort())
      }),
    )

    it(
      'lists everything of a kind, page by page',
      over(open, async ({ stores: { records }, clock }) => {
        for (let i = 0; i < 40; i++) await create(records, { kind: 'user', id: `user-${i}`, expiresAt: Infinity })
        await create(records, { id: 'a-session' })
        const listed = await listAll(records, 'user', 7)
        assert.deepEqual(ids(listed).sort(), Array.from({ length: 40 }, (_, i) => `user-${i}`).sort())
        assert.deepEqual(listed[0].value, {})
        assert.deepEqual(ids(await listAll(records, 'session', 7)), ['a-session'])
        assert.deepEqual(await listAll(records, 'login', 7), [])
        clock.advance(2 * hourMs)
        assert.deepEqual(await listAll(records, 'session', 7), [])
      }),
    )

    it(
      'treats text that cannot be an id as not there',
      over(open, async ({ stores: { records, families, generations } }) => {
        for (const hostile of ['', '\ud800', 'a\0b', 'x'.repeat(257)]) {
          assert.equal(await records.get('user', hostile), undefined)
          assert.equal(await records.remove('user', hostile), undefined)
          assert.deepEqual(await records.owned('session', hostile, 10), [])
          assert.equal(await families.get(hostile), undefined)
          assert.equal(await generations.of(hostile), 0)
          await assert.rejects(async () => create(records, { id: hostile }), RangeError)
        }
        for (const odd of ['*', '?', '[a]', "';--", '{tag}', 'ä\u0301', ' ', '\r\n', '__proto__', 'x'.repeat(256)]) {
          assert.notEqual(await create(records, { id: odd, owner: odd, value: { odd } }), undefined)
          assert.deepEqual((await records.get('session', odd))!.value, { odd })
          assert.deepEqual(ids(await records.owned('session', odd, 10)), [odd])
        }
      }),
    )

    it(
      'refuses a value beyond its bound',
      over(open, async ({ stores: { records } }) => {
        await assert.rejects(async () => create(records, { id: 'a', value: { text: 'x'.repeat(70_000) } }), RangeError)
        assert.notEqual(await create(records, { id: 'a', value: { text: 'x'.repeat(65_000) } }), undefined)
      }),
    )

    it(
      'keeps what a newer version wrote when an older one updates by the rule',
      over(open, async ({ stores: { records } }) => {
        await create(records, { id: 'a', value: { seen: 1, device: 'added in schema 2' }, schema: 2 })
        const read = (await records.get('session', 'a'))!
        await records.update('session', read, { value: { ...read.value, seen: 2 }, schema: read.schema, expiresAt: read.expiresAt })
        const after = (await records.get('session', 'a'))!
        assert.deepEqual(after.value, { seen: 2, device: 'added in schema 2' })
        assert.equal(after.schema, 2)
      }),
    )
  })

  describe(`audit log of ${name}`, options, () => {
    it(
      'gives back the newest first, page by page',
      over(open, async ({ stores: { audit }, peer }) => {
        for (let i = 0; i < 25; i++) await audit.append({ at: 1000 + i, event: 'login', facts: { i } })
        const seen: number[] = []
        let cursor = ''
        do {
          const page = await peer.audit.list(cursor, 10)
          assert.ok(page.entries.length <= 10)
          seen.push(
            ...page.entries.map(({ at, event, facts }) => {
              assert.equal(event, 'login')
              assert.equal(at, 1000 + (facts.i as number))
              return facts.i as number
            }),
          )
          cursor = page.next
        } while (cursor !== '')
        assert.deepEqual(
          seen,
          Array.from({ length: 25 }, (_, i) => 24 - i),
        )
      }),
    )

    it(
      'goes on where it was while entries are added',
      over(open, async ({ stores: { audit } }) => {
        for (let i = 0; i < 4; i++) await audit.append({ at: i, event: 'login', facts: { i } })
        const first = await audit.list('', 2)
        await audit.append({ at: 9, event: 'login', facts: { i: 9 } })
        const second = await audit.list(first.next, 2)
        assert.deepEqual(
          second.entries.map(({ facts }) => facts.i),
          [1, 0],
        )
      }),
    )
  })
}

async function create(records: Records, given: Partial<NewRecord> & { id: string }): Promise<number | undefined> {
  return records.create({ kind: 'session', owner: '', value: {}, schema: 1, expiresAt: Date.now() + hourMs, ...given })
}

/** Adds one to what is there, as often as it takes. */
async function addOne(records: Records): Promise<void> {
  for (;;) {
    const read = (await records.get('session', 'a'))!
    const value = { n: (read.value.n as number) + 1 }
    if ((await records.update('session', read, { value, schema: 1, expiresAt: read.expiresAt })) !== undefined) return
  }
}

async function listAll(records: Records, kind: RecordKind, limit: number): Promise<StoredRecord[]> {
  const byId = new Map<string, StoredRecord>()
  let cursor = ''
  do {
    const page = await records.list(kind, cursor, limit)
    for (const record of page.records) byId.set(record.id, record)
    cursor = page.next
  } while (cursor !== '')
  return [...byId.values()]
}

function ids(records: readonly StoredRecord[]): string[] {
  return records.map(({ id }) => id)
}
