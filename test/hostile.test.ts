import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { judge, spareHandles } from '../proof/hostile/judge.ts'
import type { Measured } from '../proof/hostile/judge.ts'
import { attacks } from '../proof/hostile/list.ts'
import type { Seen, WindowSeen } from '../proof/hostile/messages.ts'
import { quantile } from '../bench/support/table.ts'

const seen = (p99: number, lost = 0): Seen => ({
  requests: 100,
  lost,
  reasons: lost > 0 ? [`${lost} × ECONNRESET`] : [],
  p50: 1,
  p99,
})
const window = (gateway: Seen, straight = 1): WindowSeen => ({ gateway, fresh: seen(1), straight: seen(straight) })
const reading = { rssMib: 200, cpuMs: 0, strangers: 0, handles: 40 }
const good: Measured = {
  does: 'something',
  unit: 'things',
  maxGrowthMib: 48,
  calm: [window(seen(5)), window(seen(4)), window(seen(90))],
  attacked: [window(seen(10)), window(seen(9)), window(seen(400))],
  count: 1000,
  cutOff: 0,
  attackedCpuMs: 200,
  calmCpuMs: 100,
  before: reading,
  after: { ...reading, rssMib: 248, handles: 40 + spareHandles },
  peakMib: 260,
  damage: '',
}

suite('the proof of hostile clients', () => {
  test('judges the middle window, and says what one unit of the attack cost', () => {
    const line = judge(good)
    assert.ok(line.holds, line.seen)
    assert.match(line.seen, /p99 5\.0 → 10\.0 ms .* RSS \+48 MiB, at most \+60 .* 1000 things, 100 µs each/)
  })

  test('every part of the promise can break it', () => {
    const slow = [window(seen(11)), window(seen(11)), window(seen(11))]
    const broken: readonly (readonly [Partial<Measured>, RegExp])[] = [
      [{ attacked: slow }, /!! p99 5\.0 → 11\.0/],
      [{ attacked: [window(seen(9, 1))] }, /!! 1 of 800 lost \(1 × ECONNRESET\)/],
      [{ after: { ...reading, rssMib: 249 } }, /!! RSS \+49/],
      [{ after: { ...reading, strangers: 1 } }, /!! strangers 0 → 1/],
      [{ after: { ...reading, handles: 41 + spareHandles } }, /!! handles/],
      [{ count: 0 }, /!! 0 things/],
      [{ damage: 'velum_worker_losses_total 1' }, /!! velum_worker_losses_total 1/],
    ]
    for (const [change, said] of broken) {
      const line = judge({ ...good, ...change })
      assert.equal(line.holds, false, line.seen)
      assert.match(line.seen, said)
    }
    assert.ok(judge({ ...good, attacked: slow.map(() => window(seen(11), 6)) }).holds, 'a slower machine is not the gateway')
  })

  test('percentiles of nothing are no numbers, and attacks have names of their own', () => {
    assert.ok(Number.isNaN(quantile([], 0.99)))
    assert.equal(quantile([1, 2, 3], 0.99), 3)
    assert.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length)
  })

  test('attacks a gateway for a moment', { timeout: 60_000 }, async () => {
    const proof = fileURLToPath(new URL('../proof/hostile.ts', import.meta.url))
    const child = spawn(process.execPath, [proof, '--only', 'settings-flood', '--seconds', '0.3', '--rounds', '1'])
    let out = ''
    child.stdout.on('data', (text: Buffer) => (out += text.toString()))
    child.stderr.on('data', (text: Buffer) => (out += text.toString()))
    await once(child, 'close')
    // Latencies of so short a time say nothing; that nobody was lost and nothing more was left than before does.
    assert.match(out, /settings-flood: .* 0 of \d+ lost .* strangers (\d+) → \1 .* [1-9]\d* frames/, out)
    assert.match(out, /2 promises/)
  })
})
