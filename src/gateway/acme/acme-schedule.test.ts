import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backOffMs, renewalAt } from './acme-schedule.ts'

const minuteMs = 60_000

test('patience grows with each failure, and ends at six hours', () => {
  const waits = Array.from({ length: 9 }, (_, i) => backOffMs(i + 1, 0) / minuteMs)
  assert.deepEqual(waits, [1, 10, 20, 40, 80, 160, 320, 360, 360])
  assert.equal(backOffMs(5000, 1), Math.round(6 * 60 * minuteMs * 1.1))
})

test('no hour holds five failures, which is where public authorities refuse', () => {
  const times = [0]
  for (let failures = 1; failures < 30; failures++) times.push(times.at(-1)! + backOffMs(failures, 0))
  for (let i = 0; i + 4 < times.length; i++) assert.ok(times[i + 4] - times[i] > 60 * minuteMs)
})

test('a certificate is renewed after two thirds of its life, or somewhat earlier', () => {
  const life = { validFrom: 1_000_000, expiresAt: 1_000_000 + 90 * 1440 * minuteMs }
  const day = (at: number): number => (at - life.validFrom) / (1440 * minuteMs)
  assert.equal(day(renewalAt(life, life.validFrom, 0)), 60)
  assert.equal(day(renewalAt(life, life.validFrom, 1)), 55.5)
  assert.equal(day(renewalAt(life, life.expiresAt, 0)), 90.25, 'a clock that is far ahead')
})
