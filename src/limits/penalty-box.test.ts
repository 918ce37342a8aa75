import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { GatedStores } from '../../test/support/gated-stores.ts'
import { LocalHub } from '../../test/support/local-hub.ts'
import { CountingMeter } from '../../test/support/policy-env.ts'
import type { LogFields } from '../core/log.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Stores } from '../core/stores.ts'
import { createMemoryStores } from '../stores/memory/memory-stores.ts'
import { PenaltyBox } from './penalty-box.ts'
import { readPenalties } from './penalty-bus.ts'
import type { PenaltySpec } from './penalty-spec.ts'
import { PenaltyWard } from './penalty-ward.ts'

const abusive: PenaltySpec = {
  name: 'abusive',
  after: { refusals: 5, windowMs: 60_000 },
  forMs: 600_000,
  per: [{ kind: 'address' }],
  answer: 429,
  shadow: false,
}

/** A fleet on one store: each node has a box in main, and workers. */
class Fleet {
  readonly clock = new ManualClock()
  readonly stores: Stores = createMemoryStores(this.clock)

  async node(specs: readonly PenaltySpec[] = [abusive], stores: Stores = this.stores): Promise<Node> {
    const node = new Node(this.clock, stores)
    await node.box.prepare(specs)
    node.box.commit(specs, 'https://issuer.example')
    return node
  }
}

class Node {
  readonly hub = new LocalHub()
  readonly meter = new CountingMeter()
  readonly lines: [string, LogFields | undefined][] = []
  readonly box: PenaltyBox
  readonly #clock: ManualClock

  constructor(clock: ManualClock, stores: Stores) {
    this.#clock = clock
    const say = (message: string, fields?: LogFields): void => void this.lines.push([message, fields])
    const log = { ...silentLog, info: say, warn: say, error: say }
    this.box = new PenaltyBox(this.hub, { clock, log, meter: this.meter, store: () => ({ stores }) })
  }

  async worker(): Promise<PenaltyWard> {
    const ward = new PenaltyWard(this.hub.link(), this.#clock, silentLog)
    await ward.ready
    return ward
  }
}

function refuse(ward: PenaltyWard, times: number, address = '192.0.2.1'): void {
  for (let i = 0; i < times; i++) {
    ward.reporter.note('abusive', 'address', address, () => [address], 'limited:perAddress', `r${i}`)
  }
}

const boxedBy = (ward: PenaltyWard): string[] => [...ward.list.scope('abusive', 'address').keys()]

describe('a client that is refused too often', () => {
  it('is boxed by what all workers of its node saw together, and all workers know it', async () => {
    const fleet = new Fleet()
    const node = await fleet.node()
    const [one, other] = [await node.worker(), await node.worker()]
    refuse(one, 2)
    refuse(other, 2)
    fleet.clock.advance(20)
    assert.deepEqual([boxedBy(one), node.box.list()], [[], []])
    refuse(one, 1)
    fleet.clock.advance(20)
    assert.deepEqual([boxedBy(one), boxedBy(other)], [['192.0.2.1'], ['192.0.2.1']])
    const [penalty] = node.box.list()
    assert.deepEqual([penalty.by, penalty.reason, penalty.who], ['rule', '5 refusals in 1m', { address: '192.0.2.1' }])
    assert.equal(penalty.until - penalty.at, 600_000)
    assert.deepEqual([penalty.evidence?.refusals, penalty.evidence?.by], [5, { 'limited:perAddress': 5 }])
    assert.equal(node.meter.counts.get('velum_penalties_imposed_total abusive rule'), 1)
    assert.equal(node.meter.counts.get('velum_penalties abusive'), 1)
    assert.deepEqual([node.lines[0][0], node.lines[0][1]?.['label']], ['a client was put into the penalty box', 'penalty:abusive'])
  })

  it('comes out when its time is up, and is counted anew', async () => {
    const fleet = new Fleet()
    const node = await fleet.node()
    const ward = await node.worker()
    refuse(ward, 5)
    fleet.clock.advance(20)
    refuse(ward, 4)
    fleet.clock.advance(600_000)
    assert.deepEqual(node.box.list(), [])
    fleet.clock.advance(10_000)
    assert.equal(ward.list.size, 0)
    assert.equal(node.meter.counts.get('velum_penalties abusive'), 0)
    refuse(ward, 4)
    fleet.clock.advance(20)
    assert.deepEqual(node.box.list(), [])
  })

  it('is boxed on every node of the fleet, also on one that starts later', async () => {
    const fleet = new Fleet()
    const [here, there] = [await fleet.node(), await fleet.node()]
    const [ward, far] = [await here.worker(), await there.worker()]
    refuse(ward, 5)
    fleet.clock.advance(20)
    await turn()
    assert.deepEqual(boxedBy(far), ['192.0.2.1'])
    assert.equal(there.meter.counts.get('velum_penalties abusive'), 1)
    const late = await (await fleet.node()).worker()
    assert.deepEqual(boxedBy(late), ['192.0.2.1'])
  })

  it('costs one message a moment, however often it is refused, and made-up keys are bounded', async () => {
    const fleet = new Fleet()
    const node = await fleet.node()
    const ward = await node.worker()
    let reports = 0
    let clients = 0
    node.hub.hear('penalties.refusals', (message) => {
      reports++
      clients += (message as readonly unknown[]).length
    })
    for (let i = 0; i < 5000; i++) refuse(ward, 1, `2001:db8:${i.toString(16)}::/64`)
    fleet.clock.advance(20)
    assert.deepEqual([reports, clients], [1, 1024])
  })

  it('is not boxed by a penalty that the configuration no longer has', async () => {
    const fleet = new Fleet()
    const node = await fleet.node()
    const ward = await node.worker()
    refuse(ward, 4)
    fleet.clock.advance(20)
    node.box.commit([{ ...abusive, forMs: 1000 }], undefined)
    refuse(ward, 1)
    fleet.clock.advance(20)
    assert.equal(node.box.list()[0].until - node.box.list()[0].at, 1000, 'what was counted stays through an edit')
    node.box.commit([], undefined)
    refuse(ward, 9, '192.0.2.9')
    fleet.clock.advance(20)
    assert.equal(node.box.list().length, 1)
  })
})

describe('an operator', () => {
  it('boxes and lets out, on all nodes', async () => {
    const fleet = new Fleet()
    const [here, there] = [await fleet.node(), await fleet.node()]
    const far = await there.worker()
    const { penalty, isStored } = await here.box.add({ penalty: 'abusive', who: { address: '198.51.100.7' }, reason: 'scraping' })
    assert.equal(isStored, true)
    assert.deepEqual(boxedBy(far), ['198.51.100.7'])
    const lifted = await there.box.lift(penalty.id)
    assert.equal(lifted?.penalty.id, penalty.id)
    assert.deepEqual([here.box.list(), there.box.list(), boxedBy(far)], [[], [], []])
    assert.equal(await there.box.lift(penalty.id), undefined)
    assert.deepEqual((await (await fleet.node()).worker()).list.size, 0, 'nor is it back for who starts later')
    const { entries } = await fleet.stores.audit.list('', 10)
    assert.deepEqual(
      entries.map(({ event, facts }) => [event, facts['reason']]),
      [
        ['penalty-lifted', 'scraping'],
        ['penalty-added', 'scraping'],
      ],
    )
  })

  it('who boxes anew replaces the penalty before', async () => {
    const fleet = new Fleet()
    const node = await fleet.node()
    await node.box.add({ penalty: 'abusive', who: { address: '192.0.2.1' }, reason: 'first' })
    await node.box.add({ penalty: 'abusive', who: { address: '192.0.2.1' }, reason: 'second', forMs: 5000 })
    assert.deepEqual(
      node.box.list().map(({ reason, at, until }) => [reason, until - at]),
      [['second', 5000]],
    )
    assert.equal(node.meter.counts.get('velum_penalties abusive'), 1)
  })

  it('reads the box in the store while no gateway runs', async () => {
    const fleet = new Fleet()
    const node = await fleet.node()
    await node.box.add({ penalty: 'abusive', who: { address: '192.0.2.1' }, reason: '' })
    node.box.close()
    const list = await readPenalties(fleet.stores)
    assert.equal(list.all(fleet.clock.now()).length, 1)
  })
})

describe('a store that does not answer', () => {
  it('keeps nobody from being boxed here, and learns of it later', async () => {
    const fleet = new Fleet()
    const gated = new GatedStores(fleet.stores, () => fleet.clock.monotonic())
    const [node, other] = [await fleet.node([abusive], gated), await fleet.node()]
    const ward = await node.worker()
    gated.isDown = true
    refuse(ward, 5)
    fleet.clock.advance(20)
    const { penalty, isStored } = await node.box.add({ penalty: 'abusive', who: { address: '192.0.2.9' }, reason: '' })
    assert.equal(isStored, false)
    assert.deepEqual(boxedBy(ward).toSorted(), ['192.0.2.1', '192.0.2.9'])
    const lifted = await node.box.lift(penalty.id)
    assert.equal(lifted?.isStored, false)
    for (let i = 0; i < 5; i++) {
      fleet.clock.advance(1000)
      await turn()
    }
    assert.deepEqual(other.box.list(), [])
    gated.isDown = false
    for (let i = 0; i < 3; i++) {
      fleet.clock.advance(1000)
      await turn()
    }
    assert.deepEqual(
      other.box.list().map(({ who }) => who['address']),
      ['192.0.2.1'],
    )
    assert.equal(node.lines.filter(([message]) => message.includes('does not take penalties')).length <= 6, true)
  })

  it('does not bring back who was let out meanwhile', async () => {
    const fleet = new Fleet()
    const gated = new GatedStores(fleet.stores, () => fleet.clock.monotonic())
    const [deaf, other] = [await fleet.node([abusive], gated), await fleet.node()]
    const { penalty } = await other.box.add({ penalty: 'abusive', who: { address: '192.0.2.1' }, reason: '' })
    assert.equal(deaf.box.list().length, 1)
    gated.deafen()
    await other.box.lift(penalty.id)
    assert.equal(deaf.box.list().length, 1)
    await gated.hearAgain()
    assert.deepEqual(deaf.box.list(), [])
  })

  it('what a later version wrote is left alone', async () => {
    const fleet = new Fleet()
    const node = await fleet.node()
    for (const data of [undefined, null, 7, 'x', {}, { penalty: 7 }, { penalty: { id: 'other' } }, { penalty: { id: 'k' } }]) {
      await fleet.stores.bus.append({ topic: 'penalty', key: 'k', data: data ?? null, keepUntil: fleet.clock.now() + 1000 })
    }
    assert.deepEqual(node.box.list(), [])
  })
})
