// A worker hears of revocations from main alone. Whatever keeps the two apart, it must not go on with what it knew before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { silentMeter } from '../../src/core/meter.ts'
import type { Stores } from '../../src/core/stores.ts'
import { KnownIdentity } from '../../src/identity/known-identity.ts'
import { revoke, Revoked } from '../../src/identity/revoked.ts'
import { openSqliteStores } from '../../src/stores/sqlite/sqlite-stores.ts'
import { attachStoresToHub, createLinkedStores } from '../../src/stores/store-link.ts'
import { issuer } from '../support/identity-world.ts'
import { LocalHub } from '../support/local-hub.ts'
import { workFolder } from '../support/velum-process.ts'

/** A main thread that may stand still: what it says meanwhile arrives afterwards, in order. */
class StallingHub extends LocalHub {
  #held: (() => void)[] | undefined

  stall(): void {
    this.#held = []
  }

  goOn(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const say of held) say()
  }

  override tellAll(topic: string, message: unknown): void {
    if (this.#held === undefined) super.tellAll(topic, message)
    else this.#held.push(() => super.tellAll(topic, message))
  }
}

interface Node {
  readonly clock: ManualClock
  readonly hub: StallingHub
  /** As main holds it. */
  readonly stores: Stores
  /** As a worker knows it. */
  readonly revoked: Revoked
}

async function openNode(t: TestContext): Promise<Node> {
  const clock = new ManualClock()
  const hub = new StallingHub()
  const { stores, call } = await openSqliteStores({ folder: workFolder(t).path, name: 'test', clock, log: silentLog })
  const attached = await attachStoresToHub(hub, stores, call, clock)
  const linked = createLinkedStores(hub.link(), clock)
  const revoked = new Revoked({ clock, log: silentLog, meter: silentMeter, stores: linked, issuer })
  await revoked.loaded
  t.after(async () => {
    revoked.close()
    await linked.close()
    attached.close()
    await stores.close()
  })
  return { clock, hub, stores, revoked }
}

const caller = new KnownIdentity({
  kind: 'session',
  issuer,
  subject: 'ada',
  tenant: undefined,
  client: undefined,
  scopes: [],
  roles: [],
  expiresAt: Infinity,
  session: 'session-1',
  credentialId: undefined,
})

test('a worker on the embedded store hears at once, and a worker whose main stands still denies within 1 s', async (t) => {
  const { clock, hub, stores, revoked } = await openNode(t)
  clock.advance(5000)
  assert.equal(revoked.isKnown(0), true, 'main says several times a second how far it has heard')
  assert.equal(revoked.isRevoked(caller, undefined), false)
  hub.stall()
  await revoke(stores, { kind: 'session', id: 'session-1', keepUntil: clock.now() + 60_000 })
  clock.advance(1000)
  assert.ok(!revoked.isKnown(0) || revoked.isRevoked(caller, undefined), 'a second after it was revoked')
  assert.equal(revoked.isKnown(0), false)
  assert.equal(revoked.isKnown(30_000), true, 'a route may say that it goes on for so long')
  clock.advance(30_000)
  assert.equal(revoked.isKnown(30_000), false)
  hub.goOn()
  clock.advance(100)
  assert.equal(revoked.isRevoked(caller, undefined), true)
  assert.equal(revoked.isKnown(0), true)
  await revoke(stores, { kind: 'subject', subject: 'eve', keepUntil: clock.now() + 60_000 })
  assert.equal(revoked.generationOf('eve'), 1, 'heard before the call was answered')
})

test('what is known of revocations is never older than a second for anybody who is accepted', async (t) => {
  const { clock, hub, revoked } = await openNode(t)
  // Main stands still for longer and longer; at every step what is believed is fresh.
  for (let stallMs = 50; stallMs <= 3000; stallMs += 50) {
    hub.stall()
    clock.advance(stallMs)
    if (revoked.isKnown(0)) assert.ok(revoked.lagMs <= 1000, `${revoked.lagMs} ms old`)
    else assert.ok(stallMs > 800, `a main that is late by ${stallMs} ms is waited for`)
    hub.goOn()
    clock.advance(100)
    assert.equal(revoked.isKnown(0), true)
  }
})
