import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { StoreCall } from '../store-verbs.ts'
import { BatchRunner } from './batch.ts'
import { migrate } from './migrations.ts'

const now = 1_000_000

function newDatabase(): { db: DatabaseSync; runner: BatchRunner } {
  const db = new DatabaseSync(':memory:')
  migrate(db)
  return { db, runner: new BatchRunner(db) }
}

function append(key: string, keepUntil: number, data = '1'): StoreCall {
  return { verb: 'append', args: [{ topic: 'x', key, data, keepUntil }] }
}

function create(id: string, expiresAt: number, value = '{}'): StoreCall {
  return { verb: 'create', args: ['session', { id, owner: 'ada', value, schema: 1, version: 1, expiresAt }] }
}

function count(db: DatabaseSync, table: string): number {
  return (db.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count
}

test('a call that fails undoes itself and leaves the others of its batch', () => {
  const { db, runner } = newDatabase()
  const broken: StoreCall = { verb: 'append', args: [undefined] }
  const { replies, messages } = runner.run({ now, calls: [append('a', Infinity), broken, append('b', Infinity)] })
  assert.deepEqual(
    replies.map(({ fault }) => fault),
    [undefined, 'internal', undefined],
  )
  assert.deepEqual(
    messages.map(({ key }) => key),
    ['a', 'b'],
  )
  assert.equal(count(db, 'kept'), 2)
})

test('a full disk is a store that is down: nothing half done, and nothing announced', () => {
  const { db, runner } = newDatabase()
  db.exec(`PRAGMA max_page_count = ${(db.prepare('PRAGMA page_count').get() as { page_count: number }).page_count + 2}`)
  const large = `"${'x'.repeat(30_000)}"`
  const { replies, messages } = runner.run({
    now,
    calls: [create('small', Infinity), create('large', Infinity, large), append('after', Infinity)],
  })
  assert.equal(replies[1].fault, 'store-down')
  const done = replies.map(({ fault }) => fault === undefined)
  assert.equal(count(db, 'records'), done[0] ? 1 : 0)
  assert.equal(messages.length, done[2] ? 1 : 0)
  db.exec('PRAGMA max_page_count = 10000')
  const again = runner.run({ now, calls: [create('large', Infinity, large)] })
  assert.deepEqual(again.replies, [{ value: true, fault: undefined }])
})

test('a sweep deletes what has expired, a bounded number of rows at a time', () => {
  const { db, runner } = newDatabase()
  for (let i = 0; i < 25; i++) {
    runner.run({
      now,
      calls: [create(`r${i}`, now + 10), create(`stays${i}`, now + 11), append(`k${i}`, now + 10), append(`stays${i}`, Infinity)],
    })
  }
  assert.equal(runner.sweep(now + 9, 10), 0)
  assert.equal(runner.sweep(now + 10, 10), 20)
  assert.equal(runner.sweep(now + 10, 10), 20)
  assert.equal(runner.sweep(now + 10, 10), 10)
  assert.equal(runner.sweep(now + 10, 10), 0)
  assert.deepEqual([count(db, 'records'), count(db, 'kept')], [25, 25])
})

test('the oldest entries leave the audit log', () => {
  const { db, runner } = newDatabase()
  db.exec("INSERT INTO audit (number, at, event, facts) VALUES (1, 0, 'old', '{}'), (1000998, 0, 'newer', '{}')")
  const entry: StoreCall = { verb: 'writeAudit', args: [{ at: now, event: 'login', facts: '{}' }] }
  runner.run({ now, calls: [entry, entry] })
  const events = db.prepare('SELECT event FROM audit ORDER BY number').all() as { event: string }[]
  assert.deepEqual(
    events.map(({ event }) => event),
    ['newer', 'login', 'login'],
  )
})

test('a migration is taken wholly or not at all, and only once', () => {
  const db = new DatabaseSync(':memory:')
  const steps = ['CREATE TABLE a (x)', 'CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)']
  assert.throws(() => migrate(db, steps), /nowhere/)
  const version = (): number => (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version
  assert.equal(version(), 1)
  assert.throws(() => count(db, 'b'), /no such table/)
  migrate(db, [steps[0], 'CREATE TABLE b (x)'])
  migrate(db, [steps[0], 'CREATE TABLE b (x)'])
  assert.equal(version(), 2)
  assert.equal(count(db, 'b'), 0)
})
