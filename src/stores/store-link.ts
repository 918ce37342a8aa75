import type { Clock, Timer } from '../core/clock.ts'
import { faultFrom } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub, Link } from '../core/link.ts'
import { silentLog } from '../core/log.ts'
import type { Log } from '../core/log.ts'
import type { BusListener, BusMessage, Following, Stores } from '../core/stores.ts'
import { createStores } from './create-stores.ts'
import { DirectCalls } from './direct-calls.ts'
import { Followers } from './followers.ts'
import { topics } from './link-messages.ts'
import type { CallBatch, CallReply, Direct, Pulse } from './link-messages.ts'
import { MainCalls } from './main-calls.ts'
import type { CallStore, PackedMessage, StoreCall, StoreVerbs } from './store-verbs.ts'

const pulseMs = 100
/** How long a start has patience with a store that answers too late while it is asked for everything, and how soon it asks again. */
const startMs = 5000
const startAgainMs = 200
/** Main has said nothing for so long: it hangs, and so does every question. */
const silentMs = 2000

/**
 * Lets the workers of a node use its store: calls in one message a turn, the stream relayed to all of them. `direct` tells
 * them how to reach the store without main. Rejects with `store-down` when the stream cannot be followed for some seconds.
 */
export async function attachStoresToHub(
  hub: Hub,
  stores: Stores,
  call: CallStore,
  clock: Clock,
  direct?: Direct,
): Promise<Closable> {
  const following = await followInTime(stores, clock, {
    reload: (live, isFirst) => {
      if (!isFirst) hub.tellAll(topics.reload, live.map(packed))
    },
    hear: (message) => hub.tellAll(topics.heard, [packed(message)]),
  })
  const pulse = (): Pulse => ({ kind: stores.kind, isUp: stores.isUp, caughtUpAt: following.caughtUpAt })
  const stops = [
    hub.answer(topics.call, (message) => Promise.all((message as CallBatch).calls.map((one) => replyTo(one, call)))),
    hub.answer(topics.pulse, pulse),
    hub.answer(topics.direct, () => direct),
  ]
  let timer: Timer
  const beat = (): void => {
    hub.tellAll(topics.pulse, pulse())
    timer = clock.after(pulseMs, beat)
  }
  beat()
  return {
    close() {
      timer.cancel()
      for (const stop of stops) stop()
      following.stop()
    },
  }
}

async function followInTime(stores: Stores, clock: Clock, listener: BusListener): Promise<Following> {
  const until = clock.monotonic() + startMs
  for (;;) {
    try {
      return await stores.bus.follow(listener)
    } catch (thrown) {
      if (faultFrom(thrown).code !== 'store-down' || clock.monotonic() >= until) throw thrown
      await new Promise<void>((resolve) => void clock.after(startAgainMs, resolve))
    }
  }
}

async function replyTo({ verb, args }: StoreCall, call: CallStore): Promise<CallReply> {
  try {
    const value: unknown = await (call as (verb: string, ...args: readonly unknown[]) => unknown)(verb, ...args)
    return { value, fault: undefined }
  } catch (thrown) {
    const { code, message } = faultFrom(thrown)
    return { fault: code, message }
  }
}

function packed({ topic, key, data, keepUntil, at }: BusMessage): PackedMessage {
  return { topic, key, data: JSON.stringify(data), keepUntil, at }
}

/**
 * The node's store as a worker sees it: through main, or by a connection of its own where main allows one. The stream
 * always comes from main, which reads it once for the node. What cannot be answered is `store-down`.
 */
export function createLinkedStores(link: Link, clock: Clock, log: Log = silentLog): Stores {
  const followers = new Followers()
  const main = new MainCalls(link, clock)
  const direct = new DirectCalls(link, clock, log)
  let pulse: Pulse = { kind: 'memory', isUp: true, caughtUpAt: -Infinity }
  let pulsedAt = clock.monotonic()
  const take = (message: unknown): void => {
    pulse = message as Pulse
    pulsedAt = clock.monotonic()
    direct.look()
  }
  const stops = [
    link.hear(topics.heard, (messages) => followers.deliver(messages as PackedMessage[])),
    link.hear(topics.reload, (live) => followers.reload(live as PackedMessage[])),
    link.hear(topics.pulse, take),
  ]
  direct.look()
  const throughMain: CallStore = (verb, ...args) => main.call({ verb, args }) as Promise<ReturnType<StoreVerbs[typeof verb]>>
  return createStores({
    get kind() {
      return pulse.kind
    },
    call: (verb, ...args) => (direct.calls?.call ?? throughMain)(verb, ...args),
    async follow(listener) {
      // The live set comes from main, as its stream does: in one line, nothing falls between the two. And a pulse from
      // before would claim that this listener has heard what it has not.
      const stop = await followers.join(listener, async () => {
        take(await main.ask(topics.pulse, undefined))
        return throughMain('live')
      })
      return {
        get caughtUpAt() {
          return pulse.caughtUpAt
        },
        stop,
      }
    },
    isUp: () => (direct.calls ?? pulse).isUp && clock.monotonic() - pulsedAt < silentMs,
    now: () => clock.now(),
    async close() {
      for (const stop of stops) stop()
      direct.close()
      main.close()
    },
  })
}
