import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { silentLog } from '../../core/log.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { silentMeter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import { deriveKeys } from '../../identity/sealing.ts'
import { createMemoryStores } from '../../stores/memory/memory-stores.ts'
import { AcmeRefusal } from '../../wire/tls/acme-order.ts'
import type { AcmeIssued } from '../../wire/tls/acme-order.ts'
import { parseCertificate } from '../../wire/tls/certificate.ts'
import type { CertificateMaterial } from '../../wire/tls/tls-spec.ts'
import { createTestAuthority } from '../../../test/support/authority.ts'
import type { TestAuthority } from '../../../test/support/authority.ts'
import { AcmeKeeper, leaseMs } from './acme-keeper.ts'
import type { AcmeWant } from './acme-record.ts'

const want: AcmeWant = { name: 'a.test', email: 'ops@example.com', directory: 'https://ca.test/dir' }
const minuteMs = 60_000
const hourMs = 60 * minuteMs

let authority: TestAuthority
let stores: Stores
let clock: ManualClock

/** A node whose orders end when the test says so. */
interface Node {
  readonly keeper: AcmeKeeper
  /** Orders that wait for their end. */
  readonly orders: { issue(): Promise<CertificateMaterial>; refuse(why: Error): Promise<void> }[]
  changes: number
  readonly served: CertificateMaterial | undefined
}

/** All that waits for nothing but each other. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await setImmediate()
}

const usual = 'a secret that is long enough for this'

async function start(holder: string, secrets: readonly string[] = [usual]): Promise<Node> {
  const orders: Node['orders'] = []
  const node: Node = {
    orders,
    changes: 0,
    get served() {
      return keeper.materialOf(want)
    },
    get keeper() {
      return keeper
    },
  }
  const keeper: AcmeKeeper = new AcmeKeeper({
    stores,
    keys: deriveKeys(secrets),
    clock,
    log: silentLog,
    meter: silentMeter,
    holder,
    random: () => 0,
    changed: () => void node.changes++,
    order: () =>
      new Promise<AcmeIssued>((resolve, reject) => {
        orders.push({
          async issue() {
            const { cert, key } = await authority.issue(want.name)
            const material = parseCertificate(cert, key, [], want.directory)
            resolve({ material, accountUrl: 'https://ca.test/account/1', terms: undefined })
            await settled()
            return material
          },
          async refuse(why) {
            reject(why)
            await settled()
          },
        })
      }),
  })
  await keeper.prepare([want])
  keeper.commit([want])
  await settled()
  return node
}

async function advance(ms: number): Promise<void> {
  // Looks come at least every five minutes, and each schedules the next.
  for (let left = ms; left > 0; left -= minuteMs) {
    clock.advance(Math.min(left, minuteMs))
    await settled()
  }
}

before(async () => void (authority = await createTestAuthority('of a test')))
beforeEach(() => {
  clock = new ManualClock(Date.now())
  stores = createMemoryStores(clock)
})

describe('certificates by ACME', () => {
  it('are ordered at the start, served, and renewed after two thirds of their life', async () => {
    const node = await start('one')
    assert.equal(node.served?.fingerprint, undefined)
    assert.equal(node.keeper.statusOf(want).state, 'ordering')
    const first = await node.orders[0].issue()
    assert.equal(node.served?.fingerprint, first.fingerprint)
    assert.deepEqual([node.changes, node.keeper.statusOf(want).state, node.keeper.statusOf(want).failures], [1, 'issued', 0])
    const renewal = first.validFrom + ((first.expiresAt - first.validFrom) * 2) / 3
    await advance(renewal - clock.now() - minuteMs)
    assert.equal(node.orders.length, 1)
    await advance(2 * minuteMs)
    assert.equal(node.orders.length, 2)
    const second = await node.orders[1].issue()
    assert.notEqual(second.fingerprint, first.fingerprint)
    assert.equal(node.served?.fingerprint, second.fingerprint)
    node.keeper.close()
  })

  it('are in the store, sealed, and there for whoever starts later', async () => {
    const node = await start('one')
    const { fingerprint } = await node.orders[0].issue()
    node.keeper.close()
    const { records } = await stores.records.list('acme-certificate', '', 10)
    assert.doesNotMatch(JSON.stringify(records), /BEGIN/)
    const later = await start('two')
    assert.equal(later.served?.fingerprint, fingerprint)
    assert.equal(later.orders.length, 0)
    later.keeper.close()
  })

  it('stay in use while renewals fail, which become rarer and are counted', async () => {
    const node = await start('one')
    const { fingerprint } = await node.orders[0].issue()
    await advance(9 * hourMs)
    const tries: number[] = []
    for (let i = 1; i <= 4; i++) {
      while (node.orders.length === i) await advance(minuteMs)
      tries.push(clock.now())
      await node.orders[i].refuse(new AcmeRefusal('the authority is gone', 0))
      const status = node.keeper.statusOf(want)
      assert.deepEqual([status.state, status.failures, status.lastError], ['failing', i, 'the authority is gone'])
      assert.equal(node.served?.fingerprint, fingerprint)
    }
    const waits = tries.slice(1).map((at, i) => Math.round((at - tries[i]) / minuteMs))
    assert.deepEqual(waits, [1, 10, 20])
    while (node.orders.length === 5) await advance(minuteMs)
    await node.orders[5].issue()
    assert.deepEqual([node.keeper.statusOf(want).state, node.keeper.statusOf(want).failures], ['issued', 0])
    node.keeper.close()
  })

  it('are not asked for before the authority wants to be asked again', async () => {
    const node = await start('one')
    await node.orders[0].refuse(new AcmeRefusal('too many', 2 * hourMs))
    await advance(2 * hourMs - minuteMs)
    assert.equal(node.orders.length, 1)
    await advance(2 * minuteMs)
    assert.equal(node.orders.length, 2)
    node.keeper.close()
  })

  it('are not ordered more often by a process that dies of every order', async () => {
    let orders = 0
    for (let i = 0; i < 60; i++) {
      const node = await start(`life ${i}`)
      orders += node.orders.length
      node.keeper.close()
      await advance(minuteMs)
    }
    assert.ok(orders <= 4, `${orders} orders in an hour`)
    assert.ok(orders >= 2)
  })

  it('are ordered by one node of a fleet, and the others have them at once', async () => {
    const nodes = [await start('one'), await start('two'), await start('three')]
    assert.deepEqual(
      nodes.map(({ orders }) => orders.length),
      [1, 0, 0],
    )
    await advance(2 * leaseMs)
    assert.deepEqual(
      nodes.map(({ orders }) => orders.length),
      [1, 0, 0],
      'it lives, so its lease does',
    )
    const { fingerprint } = await nodes[0].orders[0].issue()
    for (const { served, keeper } of nodes) {
      assert.equal(served?.fingerprint, fingerprint)
      keeper.close()
    }
  })

  it('are ordered by another node when the one at it dies', async () => {
    const [one, two] = [await start('one'), await start('two')]
    one.keeper.close()
    await advance(leaseMs / 2)
    assert.equal(two.orders.length, 0)
    await advance(2 * leaseMs)
    assert.equal(two.orders.length, 1)
    const { fingerprint } = await two.orders[0].issue()
    assert.equal(two.served?.fingerprint, fingerprint)
    two.keeper.close()
  })

  it('outlive a change of the secret: whoever knows both seals them anew', async () => {
    const next = 'the secret that came after that one'
    const node = await start('one')
    const { fingerprint } = await node.orders[0].issue()
    node.keeper.close()
    const changing = await start('two', [next, usual])
    changing.keeper.close()
    const changed = await start('three', [next])
    assert.equal(changed.served?.fingerprint, fingerprint)
    changed.keeper.close()
  })

  it('by another secret are not usable, and a node that has it wrong does not spend the limits of the authority', async () => {
    const node = await start('one')
    await node.orders[0].issue()
    const other = await start('two', ['another secret, which is long enough'])
    assert.equal(other.served, undefined)
    await advance(7 * hourMs)
    assert.equal(other.orders.length, 0)
    node.keeper.close()
    other.keeper.close()
  })
})
