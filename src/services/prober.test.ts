import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { Prober, tcpProbe } from './prober.ts'

const health = { path: '/', everyMs: 1000, timeoutMs: 100, rise: 2, fall: 3 }

describe('prober', () => {
  it('says what is wrong after failures in a row, and that it is over after successes in a row', async () => {
    const clock = new ManualClock()
    const said: string[] = []
    const answers = ['', 'a', 'b', '', 'c', 'd', 'e', 'f', '', 'g', '', '']
    const heard: string[][] = []
    const prober = new Prober(
      async () => answers.shift()!,
      health,
      clock,
      (wrong) => said.push(wrong),
    )
    for (let left = answers.length; left >= 0; left--) {
      await new Promise((resolve) => setImmediate(resolve))
      heard.push(said.splice(0))
      if (left > 0) clock.advance(1000)
    }
    prober.close()
    assert.deepEqual(heard, [[], [], [], [], [], [], ['e'], [], [], [], [], ['']])
  })

  it('asks for a connection', async () => {
    const server = createServer((socket) => void socket.destroy()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const target = { url: '', protocol: 'http', tls: false, host: '127.0.0.1', port, weight: 1 } as const
    const probe = tcpProbe(target, 5000, systemClock)
    assert.equal(await probe(), '')
    server.close()
    await once(server, 'close')
    assert.equal(await probe(), 'service-refused')
  })
})
