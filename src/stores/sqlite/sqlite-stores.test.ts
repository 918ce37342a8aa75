import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Written } from '../../../test/support/store-writer.ts'
import { systemClock } from '../../core/clock.ts'
import { silentLog } from '../../core/log.ts'
import { StoreUnusable } from '../../core/stores.ts'
import type { BusMessage, Stores } from '../../core/stores.ts'
import { findGateway } from './gateway-lock.ts'
import { loadSecret } from './secret-file.ts'
import { openSqliteStores } from './sqlite-stores.ts'
import type { SqliteStores } from './sqlite-stores.ts'

const writer = fileURLToPath(new URL('../../../test/support/store-writer.ts', import.meta.url))

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'velum-store-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function openIn(t: TestContext, folder: string, name = 'public'): Promise<SqliteStores> {
  const opened = await openSqliteStores({ folder, name, clock: systemClock, log: silentLog, answerMs: 30_000 })
  t.after(() => opened.stores.close())
  return opened
}

function isUnusable(words: RegExp): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof StoreUnusable && words.test(thrown.message)
}

/** The lock of a process that is no more. */
async function lockOfTheDead(): Promise<string> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
  await once(child, 'exit')
  return JSON.stringify({ pid: child.pid, name: 'dead', admin: 'http://127.0.0.1:9900' })
}

describe('an embedded store', () => {
  it('keeps everything over a restart', async (t) => {
    const folder = newFolder(t)
    const first = await openIn(t, folder)
    const end = Date.now() + 60_000
    await first.stores.records.create({ kind: 'user', id: 'ada', owner: '', value: { roles: [] }, schema: 1, expiresAt: Infinity })
    const made = { id: 'f', owner: 'ada', value: {}, schema: 1, token: 't', bound: '', idleMs: 60_000, expiresAt: end }
    await first.stores.families.create(made)
    await first.stores.generations.raise('ada', 'subject', end)
    await first.stores.audit.append({ at: 1, event: 'login', facts: { who: 'ada' } })
    await first.stores.close()
    const { stores } = await openIn(t, folder)
    assert.deepEqual((await stores.records.get('user', 'ada'))?.value, { roles: [] })
    assert.equal((await stores.families.get('f'))?.owner, 'ada')
    assert.equal(await stores.generations.of('ada'), 1)
    assert.deepEqual(
      (await liveOf(stores)).map(({ topic, key, data }) => [topic, key, data]),
      [['subject', 'ada', 1]],
    )
    assert.deepEqual((await stores.audit.list('', 10)).entries, [{ at: 1, event: 'login', facts: { who: 'ada' } }])
  })

  it('is readable for its owner alone', async (t) => {
    const folder = join(newFolder(t), 'made')
    const { stores } = await openIn(t, folder)
    await stores.generations.raise('ada', 'x', 0)
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    for (const file of ['velum.db', 'velum.db-wal', 'gateway.lock'])
      assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file)
  })

  it('is refused to a second gateway, which is told who holds it', async (t) => {
    const folder = newFolder(t)
    const { setAdmin, stores } = await openIn(t, folder)
    setAdmin('http://127.0.0.1:9900')
    const expected = new RegExp(`"public" holds it \\(process ${process.pid}, admin at http://127\\.0\\.0\\.1:9900\\)`)
    await assert.rejects(() => openIn(t, folder, 'second'), isUnusable(expected))
    assert.deepEqual(findGateway(folder)?.admin, 'http://127.0.0.1:9900')
    await stores.generations.raise('still', 'x', 0)
    await stores.close()
    assert.equal(findGateway(folder), undefined)
    assert.equal(existsSync(join(folder, 'gateway.lock')), false)
    await openIn(t, folder, 'second')
    assert.equal(findGateway(folder)?.name, 'second')
  })

  it('is opened in spite of what a dead process left', async (t) => {
    const folder = newFolder(t)
    for (const left of [
      await lockOfTheDead(),
      '',
      '{',
      'null',
      '{"pid":"x"}',
      `{"pid":${process.pid},"name":"reused","began":"1"}`,
    ]) {
      writeFileSync(join(folder, 'gateway.lock'), left)
      assert.equal(findGateway(folder), undefined, left)
      const { stores } = await openIn(t, folder)
      assert.equal(findGateway(folder)?.name, 'public')
      await stores.close()
    }
  })

  it('says that somebody holds it even when no file says who', async (t) => {
    const folder = newFolder(t)
    await openIn(t, folder)
    rmSync(join(folder, 'gateway.lock'))
    await assert.rejects(() => openIn(t, folder), isUnusable(/taken: another process holds it/))
  })

  it('is not opened when it is something else', async (t) => {
    const folder = newFolder(t)
    writeFileSync(join(folder, 'velum.db'), 'a letter to the editor, and certainly no database of any kind')
    await assert.rejects(() => openIn(t, folder), isUnusable(/cannot be used: file is not a database/))
    assert.match(readFileSync(join(folder, 'velum.db'), 'utf8'), /^a letter/)
    writeFileSync(join(folder, 'file'), '')
    await assert.rejects(() => openIn(t, join(folder, 'file', 'below')), isUnusable(/cannot be made/))
  })

  it('is not opened when a newer Velum wrote it', async (t) => {
    const folder = newFolder(t)
    const db = new DatabaseSync(join(folder, 'velum.db'))
    db.exec('PRAGMA user_version = 1000')
    db.close()
    await assert.rejects(() => openIn(t, folder), isUnusable(/newer version of Velum/))
  })

  it('deletes what has expired', async (t) => {
    const folder = newFolder(t)
    const { stores } = await openIn(t, folder)
    const expiresAt = Date.now() + 1
    for (let i = 0; i < 20; i++)
      await stores.records.create({ kind: 'login', id: `l${i}`, owner: '', value: {}, schema: 1, expiresAt })
    await stores.records.create({ kind: 'user', id: 'ada', owner: '', value: {}, schema: 1, expiresAt: Infinity })
    const copy = newFolder(t)
    while (recordsIn(folder, copy) !== 1) await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(await stores.records.get('user', 'ada'))
  })
})

describe('a process killed while it writes', () => {
  it('loses nothing that was answered, and leaves nothing half done', async (t) => {
    const folder = newFolder(t)
    for (let round = 0; round < 3; round++) {
      const written = await writeAndKill(folder, 150)
      const db = new DatabaseSync(join(folder, 'velum.db'))
      const { integrity_check: verdict } = db.prepare('PRAGMA integrity_check').get() as { integrity_check: string }
      assert.equal(verdict, 'ok')
      db.close()
      const { stores } = await openIn(t, folder)
      await assertKept(stores, written)
      await stores.close()
    }
  })
})

describe('the secret of an embedded store', () => {
  it('is made once, and is for its owner alone', (t) => {
    const folder = newFolder(t)
    const secret = loadSecret(folder, silentLog)
    assert.match(secret, /^[\w-]{43}$/)
    assert.equal(loadSecret(folder, silentLog), secret)
    const file = join(folder, 'secret')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    chmodSync(file, 0o644)
    const warnings: string[] = []
    assert.equal(loadSecret(folder, { ...silentLog, warn: (message) => warnings.push(message) }), secret)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.match(warnings.join(), /could be read by others/)
  })

  it('is never replaced when it is unusable', (t) => {
    const folder = newFolder(t)
    writeFileSync(join(folder, 'secret'), 'short\n')
    assert.throws(() => loadSecret(folder, silentLog), isUnusable(/at least 32 characters/))
    assert.equal(readFileSync(join(folder, 'secret'), 'utf8'), 'short\n')
  })
})

/** How many records there are, seen in a copy, since the file itself is held; -1 when the copy was taken amid a write. */
function recordsIn(folder: string, copy: string): number {
  for (const name of ['velum.db', 'velum.db-wal']) copyFileSync(join(folder, name), join(copy, name))
  try {
    const db = new DatabaseSync(join(copy, 'velum.db'))
    const { count } = db.prepare('SELECT count(*) AS count FROM records').get() as { count: number }
    db.close()
    return count
  } catch {
    return -1
  }
}

async function liveOf(stores: Stores): Promise<readonly BusMessage[]> {
  let all: readonly BusMessage[] = []
  const following = await stores.bus.follow({ reload: (live) => void (all = live), hear: () => {} })
  following.stop()
  return all
}

/** Runs the writer until so many writes were answered, and kills it then. Returns what was. */
async function writeAndKill(folder: string, count: number): Promise<Written[]> {
  const child = spawn(process.execPath, [writer, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const written: Written[] = []
  for await (const line of createInterface(child.stdout)) {
    // The last line may be half of one: what it says was not read, so nobody relies on it.
    if (line.endsWith('}')) written.push(JSON.parse(line) as Written)
    if (written.length === count) child.kill('SIGKILL')
  }
  const [, signal] = (await ended) as [number | null, string | null]
  assert.equal(signal, 'SIGKILL')
  return written
}

async function assertKept(stores: Stores, written: readonly Written[]): Promise<void> {
  const live = await liveOf(stores)
  assert.deepEqual([...new Set(written.map(({ kind }) => kind))].sort(), ['generation', 'rotation', 'session'])
  for (const one of written) {
    if (one.kind === 'session') {
      assert.equal((await stores.records.get('session', one.id))?.owner, one.owner)
    } else if (one.kind === 'generation') {
      const number = await stores.generations.of(one.subject)
      assert.ok(number >= one.number)
      assert.equal(live.find(({ key }) => key === one.subject)?.data, number, 'the number and what was announced are one step')
    } else {
      const family = (await stores.families.get(one.family))!
      assert.ok(family.rotations >= one.rotations && family.rotations <= one.rotations + written.length)
    }
  }
}
