import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../src/core/log.ts'
import { createMemoryStores } from '../../src/stores/memory/memory-stores.ts'
import { openSqliteStores } from '../../src/stores/sqlite/sqlite-stores.ts'
import { FrozenClock } from '../support/frozen-clock.ts'
import { busContract } from './bus.ts'
import { familiesContract } from './families.ts'
import { recordsContract } from './records.ts'
import type { StoreHarness } from './store-harness.ts'

async function openMemory(): Promise<StoreHarness> {
  const clock = new FrozenClock()
  const stores = createMemoryStores(clock)
  return { stores, peer: stores, clock, close: () => stores.close() }
}

async function openSqlite(): Promise<StoreHarness> {
  const clock = new FrozenClock()
  const folder = mkdtempSync(join(tmpdir(), 'velum-store-'))
  const { stores } = await openSqliteStores({ folder, name: 'test', clock, log: silentLog, answerMs: 30_000 })
  const close = async (): Promise<void> => {
    await stores.close()
    rmSync(folder, { recursive: true })
  }
  return { stores, peer: stores, clock, close }
}

for (const [name, open] of [
  ['memory', openMemory],
  ['sqlite', openSqlite],
] as const) {
  recordsContract(name, open, { skip: false })
  familiesContract(name, open, { skip: false })
  busContract(name, open, { skip: false })
}
