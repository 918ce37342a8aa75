import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import { StoreUnusable } from '../../core/stores.ts'
import type { Stores } from '../../core/stores.ts'
import { createStores } from '../create-stores.ts'
import { Followers } from '../followers.ts'
import type { CallStore, PackedMessage, StoreVerbs } from '../store-verbs.ts'
import { holderWords, removeLock, StoreTaken, writeLock } from './gateway-lock.ts'
import { StoreThreadClient } from './store-thread-client.ts'

export interface SqliteStoresOptions {
  readonly folder: string
  /** What this process is, for whoever finds the store taken. */
  readonly name: string
  readonly clock: Clock
  readonly log: Log
  /** Longest wait for an answer; 1 s. */
  readonly answerMs?: number
}

/** A store in one file of a folder, held by this process alone. */
export interface SqliteStores {
  readonly stores: Stores
  readonly call: CallStore
  /** Says in gateway.lock where the admin API answers. */
  readonly setAdmin: (url: string) => void
}

const reloadAgainMs = 250

/** Opens it, made when need be. Rejects with `StoreUnusable`: another process has it, or the file is none of ours. */
export async function openSqliteStores(options: SqliteStoresOptions): Promise<SqliteStores> {
  const { folder, name, clock, log } = options
  makeFolder(folder)
  const followers = new Followers()
  /** Since when messages may have been missed: what a thread committed last may have died with it. */
  let lostAt: number | undefined
  const client = new StoreThreadClient({
    file: join(folder, 'velum.db'),
    clock,
    log,
    answerMs: options.answerMs ?? 1000,
    appended: (messages) => followers.deliver(messages),
    died: () => {
      lostAt ??= clock.monotonic()
    },
    restarted: () => void reload(),
  })
  const call: CallStore = (verb, ...args) => client.call({ verb, args }) as Promise<ReturnType<StoreVerbs[typeof verb]>>
  const live = async (): Promise<readonly PackedMessage[]> => call('live')
  const reload = async (): Promise<void> => {
    try {
      followers.reload(await live())
      lostAt = undefined
    } catch {
      // It died again, and its successor will be asked; or it is slow, and is asked again.
      if (lostAt !== undefined) clock.after(reloadAgainMs, () => void reload())
    }
  }
  await start(client, folder)
  try {
    writeLock(folder, name, undefined)
  } catch (thrown) {
    await client.close()
    throw new StoreUnusable(`the store ${folder} cannot be locked: ${(thrown as Error).message}`, { cause: thrown })
  }
  const stores = createStores({
    kind: 'sqlite',
    call,
    async follow(listener) {
      const stop = await followers.join(listener, live)
      return {
        // Only this process appends, and what is on the disk has been heard.
        get caughtUpAt() {
          return lostAt ?? clock.monotonic()
        },
        stop,
      }
    },
    isUp: () => client.isUp,
    now: () => clock.now(),
    async close() {
      lostAt = undefined
      await client.close()
      removeLock(folder)
    },
  })
  return { stores, call, setAdmin: (url) => writeLock(folder, name, url) }
}

async function start(client: StoreThreadClient, folder: string): Promise<void> {
  try {
    await client.start()
  } catch (thrown) {
    if (!(thrown instanceof StoreTaken)) throw thrown
    throw new StoreUnusable(`the store ${folder} is taken: ${holderWords(folder)}`, { cause: thrown })
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (thrown) {
    throw new StoreUnusable(`the store's folder ${folder} cannot be made: ${(thrown as Error).message}`, { cause: thrown })
  }
}
