// Writes to the store in the folder that is its argument as fast as it can, and prints one JSON line for every write
// that was answered; for tests that kill it in the middle.
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { openSqliteStores } from '../../src/stores/sqlite/sqlite-stores.ts'

/** One write that was answered. */
export type Written =
  | { readonly kind: 'session'; readonly id: string; readonly owner: string }
  | { readonly kind: 'generation'; readonly subject: string; readonly number: number }
  | { readonly kind: 'rotation'; readonly family: string; readonly rotations: number }

const { stores } = await openSqliteStores({ folder: process.argv[2], name: 'writer', clock: systemClock, log: silentLog })
const { records, families, generations } = stores
const end = systemClock.now() + 3_600_000
const say = (written: Written): void => void process.stdout.write(`${JSON.stringify(written)}\n`)

async function openSessions(owner: string): Promise<never> {
  for (let i = 0; ; i++) {
    const id = `${owner}-${process.pid}-${i}`
    await records.create({ kind: 'session', id, owner, value: { filling: 'x'.repeat(500) }, schema: 1, expiresAt: end })
    say({ kind: 'session', id, owner })
  }
}

async function raiseGenerations(subject: string): Promise<never> {
  for (;;) say({ kind: 'generation', subject, number: await generations.raise(subject, 'subject', end) })
}

async function rotateFamily(id: string): Promise<never> {
  const made = { id, owner: id, value: {}, schema: 1, token: '0', bound: '', idleMs: 3_600_000, expiresAt: end }
  await families.create(made)
  for (let i = 0; ; i++) {
    const rotation = {
      id,
      presented: String(i),
      successor: String(i + 1),
      sealed: '',
      bound: '',
      asked: '',
      graceMs: 0,
      idleMs: 3_600_000,
    }
    await families.rotate({ ...rotation, onReuse: { topic: 'family', data: null, keepUntil: 0 } })
    say({ kind: 'rotation', family: id, rotations: i + 1 })
  }
}

await Promise.all([
  openSessions('ada'),
  openSessions('bob'),
  raiseGenerations('ada'),
  raiseGenerations('bob'),
  rotateFamily(`family-${process.pid}`),
])
