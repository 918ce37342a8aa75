import type { Announcement, BusMessage, Stores } from '../core/stores.ts'
import type { PenaltyChange } from './penalty-list.ts'
import { PenaltyList } from './penalty-list.ts'
import type { Penalty } from './penalty-spec.ts'

/** Topic of the bus; the key is a penalty's id, and the latest under it is kept until the penalty is over. */
const topic = 'penalty'

/** What tells all nodes, also those that start later, that a client is boxed. */
export function boxedAnnouncement(penalty: Penalty): Announcement {
  return { topic, key: penalty.id, data: { penalty }, keepUntil: penalty.until }
}

/** The same for one that is let out: kept as long, so that a node that missed it learns of it all the same. */
export function liftedAnnouncement({ id, until }: Penalty): Announcement {
  return { topic, key: id, data: { lifted: true }, keepUntil: until }
}

/** What a message says of penalties; undefined for everything else, and for what a later version may have written. */
export function penaltyChangeOf(message: BusMessage): PenaltyChange | undefined {
  if (message.topic !== topic || message.key === '') return undefined
  const { penalty, lifted } = (message.data ?? {}) as { readonly penalty?: unknown; readonly lifted?: unknown }
  if (lifted === true) return { kind: 'lifted', id: message.key }
  return isPenalty(penalty, message.key) ? { kind: 'boxed', penalty } : undefined
}

/** Everybody who is boxed, as the store says. Rejects with `store-down`. */
export async function readPenalties(stores: Stores): Promise<PenaltyList> {
  const list = new PenaltyList()
  const following = await stores.bus.follow({
    reload(live) {
      for (const message of live) {
        const change = penaltyChangeOf(message)
        if (change !== undefined) list.apply(change)
      }
    },
    hear() {},
  })
  following.stop()
  return list
}

const texts = ['id', 'penalty', 'per', 'key', 'by', 'reason'] as const

function isPenalty(value: unknown, id: string): value is Penalty {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Readonly<Record<string, unknown>>
  return (
    fields['id'] === id &&
    texts.every((name) => typeof fields[name] === 'string') &&
    typeof fields['at'] === 'number' &&
    typeof fields['until'] === 'number' &&
    typeof fields['who'] === 'object' &&
    fields['who'] !== null
  )
}
