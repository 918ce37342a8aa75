import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { LocalHub } from '../../test/support/local-hub.ts'
import { workFolder } from '../../test/support/velum-process.ts'
import { Fault } from '../core/fault.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Stores } from '../core/stores.ts'
import { openSqliteStores } from './sqlite/sqlite-stores.ts'
import { attachStoresToHub } from './store-link.ts'

/** A store that is late so many times when it is asked for all that is live. */
async function attach(
  t: TestContext,
  late: number,
): Promise<{ readonly clock: ManualClock; readonly asked: () => number; attaching: Promise<unknown> }> {
  const clock = new ManualClock()
  const { stores, call } = await openSqliteStores({ folder: workFolder(t).path, name: 'test', clock, log: silentLog })
  let asked = 0
  const slow: Stores = {
    ...stores,
    kind: stores.kind,
    bus: {
      append: (message) => stores.bus.append(message),
      follow: (listener) => (++asked > late ? stores.bus.follow(listener) : Promise.reject(new Fault('store-down', 'too late'))),
    },
  }
  const attaching = attachStoresToHub(new LocalHub(), slow, call, clock).then((attached) => attached.close())
  t.after(() => stores.close())
  return { clock, asked: () => asked, attaching }
}

async function passing(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await new Promise((resolve) => void setImmediate(resolve))
    clock.advance(100)
  }
}

test('a start has patience with a store that is late', async (t) => {
  const { clock, asked, attaching } = await attach(t, 3)
  await passing(clock, 1000)
  await attaching
  assert.equal(asked(), 4)
})

test('and fails when it goes on being late', async (t) => {
  const { clock, asked, attaching } = await attach(t, Infinity)
  const failed = assert.rejects(attaching, /too late/)
  await passing(clock, 6000)
  await failed
  assert.ok(asked() > 10)
})
