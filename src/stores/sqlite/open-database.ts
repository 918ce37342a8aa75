import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StoreUnusable } from '../../core/stores.ts'
import { StoreTaken } from './gateway-lock.ts'
import { migrate } from './migrations.ts'

/** SQLite's result code for a file that another connection has locked. */
const busy = 5

/**
 * Opens the store's file for this process alone, made (0600) and brought up to date when need be. The operating system
 * holds the lock and lets go of it when the process dies, however it dies. Throws `StoreUnusable`, of which
 * `StoreTaken` is one kind.
 */
export function openDatabase(file: string): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    // SQLite would make it with the process's umask, and gives its journal the mode of the file.
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
    db = new DatabaseSync(file, { timeout: 0 })
    // FULL: what was answered survives a power failure. A batch of calls shares one commit.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    db.exec('PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 67108864')
    // WAL takes the exclusive lock at the first use, not when it is asked for.
    db.exec('BEGIN EXCLUSIVE; COMMIT')
    migrate(db)
    return db
  } catch (thrown) {
    db?.close()
    if (thrown instanceof StoreUnusable) throw thrown
    const { errcode, message } = thrown as Error & { errcode?: number }
    if (errcode === busy) throw new StoreTaken(`another process holds ${file}`, { cause: thrown })
    throw new StoreUnusable(`the store ${file} cannot be used: ${message}`, { cause: thrown })
  }
}
