import type { DatabaseSync } from 'node:sqlite'
import { StoreUnusable } from '../../core/stores.ts'

/**
 * The steps from an empty file to today's tables; `user_version` counts those that were taken. A step that was released
 * is never edited. Times are ms since 1970, `never` for what does not end.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE records (
    kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, value TEXT NOT NULL,
    schema INTEGER NOT NULL, version INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX records_by_owner ON records (kind, owner, expires_at DESC, id) WHERE owner <> '';
  CREATE INDEX records_by_end ON records (expires_at);

  CREATE TABLE families (
    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, value TEXT NOT NULL, schema INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    bound TEXT NOT NULL, current TEXT NOT NULL, previous TEXT NOT NULL, sealed TEXT NOT NULL, asked TEXT NOT NULL,
    rotations INTEGER NOT NULL, rotated_at INTEGER NOT NULL, idle_at INTEGER NOT NULL, ended TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX families_by_owner ON families (owner, expires_at DESC, id) WHERE ended = '';
  CREATE INDEX families_by_end ON families (expires_at);

  CREATE TABLE generations (subject TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE kept (
    topic TEXT NOT NULL, key TEXT NOT NULL, data TEXT NOT NULL, keep_until INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (topic, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX kept_by_end ON kept (keep_until);

  CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, event TEXT NOT NULL, facts TEXT NOT NULL) STRICT;
  `,
]

/** Takes the steps that are missing, each wholly or not at all. Throws `StoreUnusable` when the file comes from a newer Velum. */
export function migrate(db: DatabaseSync, steps: readonly string[] = migrations): void {
  const { user_version: taken } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (taken > steps.length) {
    throw new StoreUnusable(
      `the store was written by a newer version of Velum (layout ${taken}, this version knows ${steps.length}): use that version, or another folder`,
    )
  }
  for (let i = taken; i < steps.length; i++) {
    db.exec('BEGIN IMMEDIATE')
    try {
      db.exec(steps[i])
      db.exec(`PRAGMA user_version = ${i + 1}`)
      db.exec('COMMIT')
    } catch (thrown) {
      db.exec('ROLLBACK')
      throw thrown
    }
  }
}
