import type { Clock, Timer } from '../core/clock.ts'
import { Fault, faultFrom } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub, Link } from '../core/link.ts'
import type { BusMessage, Stores } from '../core/stores.ts'
import { createStores } from './create-stores.ts'
import { Deadlines } from './deadlines.ts'
import { Followers } from './followers.ts'
import type { CallStore, PackedMessage, StoreCall } from './store-verbs.ts'

/** Topics between the main thread, which holds the store, and the workers, which use it. */
const topics = { call: 'store.call', heard: 'store.heard', reload: 'store.reload', pulse: 'store.pulse' } as const

/** How main is, said several times a second, after everything that was heard before. */
interface Pulse {
  readonly kind: Stores['kind']
  readonly isUp: boolean
  readonly caughtUpAt: number
}

const pulseMs = 200
/** Main has said nothing for so long: it hangs, and so does every question. */
const silentMs = 2000
/** Longest wait for an answer of main's; its driver gives up earlier. */
const answerMs = 2000

function packed({ topic, key, data, keepUntil, at }: BusMessage): PackedMessage {
  return { topic, key, data: JSON.stringify(data), keepUntil, at }
}

/** Lets the workers of a node use its store. Rejects with `store-down` when its stream cannot be followed. */
export async function attachStoresToHub(hub: Hub, stores: Stores, call: CallStore, clock: Clock): Promise<Closable> {
  const following = await stores.bus.follow({
    reload: (live, isFirst) => {
      if (!isFirst) hub.tellAll(topics.reload, live.map(packed))
    },
    hear: (message) => hub.tellAll(topics.heard, [packed(message)]),
  })
  const pulse = (): Pulse => ({ kind: stores.kind, isUp: stores.isUp, caughtUpAt: following.caughtUpAt })
  const stopCalls = hub.answer(topics.call, (message) => {
    const { verb, args } = message as StoreCall
    return (call as (verb: string, ...args: readonly unknown[]) => unknown)(verb, ...args)
  })
  const stopPulses = hub.answer(topics.pulse, pulse)
  let timer: Timer
  const beat = (): void => {
    hub.tellAll(topics.pulse, pulse())
    timer = clock.after(pulseMs, beat)
  }
  beat()
  return {
    close() {
      timer.cancel()
      stopCalls()
      stopPulses()
      following.stop()
    },
  }
}

/** The node's store as a worker sees it: through main. What main cannot answer is `store-down`. */
export function createLinkedStores(link: Link, clock: Clock): Stores {
  const followers = new Followers()
  const deadlines = new Deadlines(clock, answerMs)
  let pulse: Pulse = { kind: 'memory', isUp: true, caughtUpAt: -Infinity }
  let pulsedAt = clock.monotonic()
  const take = (message: unknown): void => {
    pulse = message as Pulse
    pulsedAt = clock.monotonic()
  }
  const stops = [
    link.hear(topics.heard, (messages) => followers.deliver(messages as PackedMessage[])),
    link.hear(topics.reload, (live) => followers.reload(live as PackedMessage[])),
    link.hear(topics.pulse, take),
  ]
  const ask = (topic: string, message: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const wait = deadlines.add(() => reject(new Fault('store-down', 'the main thread did not answer in time')))
      link.ask(topic, message).then(
        (answer) => {
          wait.isOver = true
          resolve(answer)
          return undefined
        },
        (thrown: unknown) => {
          wait.isOver = true
          reject(asStoreFault(thrown))
        },
      )
    })
  const call = ((verb: StoreCall['verb'], ...args: readonly unknown[]) => ask(topics.call, { verb, args })) as CallStore
  return createStores({
    get kind() {
      return pulse.kind
    },
    call,
    async follow(listener) {
      // A pulse from before would claim that this listener has heard what it has not.
      const stop = await followers.join(listener, async () => {
        take(await ask(topics.pulse, undefined))
        return call('live')
      })
      return {
        get caughtUpAt() {
          return pulse.caughtUpAt
        },
        stop,
      }
    },
    isUp: () => pulse.isUp && clock.monotonic() - pulsedAt < silentMs,
    now: () => clock.now(),
    async close() {
      for (const stop of stops) stop()
      deadlines.endAll()
    },
  })
}

/** Whatever keeps main from answering, the store cannot be asked. A bug stays one. */
function asStoreFault(thrown: unknown): Fault {
  const fault = faultFrom(thrown)
  const isDown = fault.code !== 'internal' || fault.message.startsWith('nobody answers')
  return isDown ? new Fault('store-down', fault.message, { cause: fault }) : fault
}
