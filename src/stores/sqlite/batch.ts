import type { DatabaseSync } from 'node:sqlite'
import type { CallReply } from '../link-messages.ts'
import { runCall } from '../store-verbs.ts'
import type { PackedMessage, StoreCall } from '../store-verbs.ts'
import { SqliteEngine } from './sqlite-engine.ts'

/** Calls that share one commit. */
export interface Batch {
  readonly now: number
  readonly calls: readonly StoreCall[]
}

/** The answers in the order of the calls, and what has to be heard on the bus. */
export interface BatchReply {
  readonly replies: readonly CallReply[]
  readonly messages: readonly PackedMessage[]
}

/** Runs batches on a database: each call wholly or not at all, and nothing is answered before it is on the disk. */
export class BatchRunner {
  readonly #db: DatabaseSync
  readonly #engine: SqliteEngine
  #messages: PackedMessage[] = []

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#engine = new SqliteEngine(db, (message) => this.#messages.push(message))
  }

  run({ now, calls }: Batch): BatchReply {
    this.#messages = []
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      const replies = calls.map((call) => this.#reply(now, call))
      this.#db.exec('COMMIT')
      return { replies, messages: this.#messages }
    } catch (thrown) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      return { replies: calls.map(() => replyOf(thrown)), messages: [] }
    }
  }

  /** Deletes some of what has expired; returns how many rows. Throws what SQLite throws. */
  sweep(now: number, limit: number): number {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const count = this.#engine.sweep(now, limit)
      this.#db.exec('COMMIT')
      return count
    } catch (thrown) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw thrown
    }
  }

  #reply(now: number, call: StoreCall): CallReply {
    const messages = this.#messages.length
    this.#db.exec('SAVEPOINT one')
    try {
      const value = runCall(this.#engine, now, call)
      this.#db.exec('RELEASE one')
      return { value, fault: undefined }
    } catch (thrown) {
      // A full disk may have undone the whole batch already: then none of it was done.
      if (!this.#db.isTransaction) throw thrown
      this.#db.exec('ROLLBACK TO one; RELEASE one')
      this.#messages.length = messages
      return replyOf(thrown)
    }
  }
}

function replyOf(thrown: unknown): CallReply {
  const { code, message } = thrown as NodeJS.ErrnoException
  return { fault: code === 'ERR_SQLITE_ERROR' ? 'store-down' : 'internal', message }
}
