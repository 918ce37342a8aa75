import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { contentOf } from './content.ts'
import type { Activity, World } from './world.ts'
import { wordsOf } from './world.ts'

/** Sockets that ended before their client wanted it. */
export const cuts = { count: 0 }

/**
 * WebSockets that are passed through: each says some messages of changing size, and every one must come back, whole and
 * in order. Some stay for a minute, over many reloads, as long as the world goes on.
 */
export function socketActivities(world: World): Activity[] {
  let n = 0
  return [
    { name: 'WebSocket', perSecond: 2, run: () => talk(world, 'WebSocket', 10, 10) },
    // So that about ten are open at any time.
    { name: 'WebSocket for a minute', perSecond: 1 / 6, run: () => talk(world, 'WebSocket for a minute', 300, 200) },
  ]

  async function talk(
    { ledger, plain, secure, ca, isStopping }: World,
    name: string,
    count: number,
    pauseMs: number,
  ): Promise<void> {
    const id = ledger.begin(name)
    const origin = ++n % 2 === 0 ? plain : secure
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/echo`, { ca, headers: { 'x-soak-id': id } })
    let isOver = false
    let heard = 0
    const tally = ledger.tally(name)
    const sent: Buffer[] = []
    socket.on('message', (data: Buffer) => {
      const due = sent.shift()
      if (due === undefined || !due.equals(data)) ledger.note(`${name}: a message came back changed or out of order`)
      heard++
      tally.messages++
      tally.bytes += data.length
    })
    // A reset is an error and then a close; whoever waits for the close must not fail by the error.
    socket.on('error', (thrown) => {
      if (!isOver) ledger.note(`${name}: ${wordsOf(thrown)}`)
    })
    const closed = Promise.withResolvers<void>()
    socket.on('close', (code: number) => {
      closed.resolve()
      if (isOver) return
      cuts.count++
      ledger.note(`${name}: closed with ${code} before its time`)
    })
    try {
      await once(socket, 'open')
      let said = 0
      while (said < count && socket.readyState === socket.OPEN && !isStopping()) {
        const message = contentOf(said % 50 === 49 ? 100_000 : 20 + (said % 10) * 30, n + said)
        sent.push(message)
        socket.send(message)
        said++
        await sleep(pauseMs)
      }
      for (let waited = 0; sent.length > 0 && waited < 5000; waited += 20) await sleep(20)
      if (heard === said) tally.good++
      else ledger.note(`${name}: ${said - heard} messages did not come back`)
    } finally {
      isOver = true
      socket.close()
      await closed.promise
      ledger.settle(id, heard === 0 ? 'at-most-once' : 'once')
    }
  }
}
