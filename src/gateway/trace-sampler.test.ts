import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { createTraceIds } from './trace-ids.ts'
import { createTraceSampler } from './trace-sampler.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'

/** Ids that are drawn one after the other. */
function drawn(sample: number, traces: readonly string[], x: Exchange): Exchange {
  const left = [...traces]
  let spans = 0
  const ids = { trace: () => left.shift()!, span: () => String(++spans).padStart(16, '0') }
  createTraceSampler(sample, new ManualClock(), ids)(x)
  return x
}

/** A trace id whose random part is this share of all. */
const at = (share: number): string =>
  `ffffffffffffffffff${Math.floor(share * 2 ** 48)
    .toString(16)
    .padStart(12, '0')}ff`

function coming(flags: string, isProxied: boolean): Exchange {
  const x = exchangeOf()
  x.traceparent = `00-${traceId}-${parentId}-${flags}`
  x.isProxied = isProxied
  return x
}

test('of the traces that begin here, those are noted whose id lies in the share', () => {
  const inside = drawn(0.25, [at(0.76)], exchangeOf())
  assert.equal(inside.trace?.parentId, undefined)
  assert.equal(inside.traceparent, `00-${at(0.76)}-${inside.trace!.spanId}-01`)
  const outside = drawn(0.25, [at(0.74)], exchangeOf())
  assert.equal(outside.trace, undefined)
  assert.equal(outside.traceparent, `00-${at(0.74)}-0000000000000001-00`, 'the service is told that it is not sampled')
})

test('none and all are none and all', () => {
  assert.equal(drawn(0, ['f'.repeat(32)], exchangeOf()).trace, undefined)
  assert.ok(drawn(1, [`1${'0'.repeat(31)}`], exchangeOf()).trace)
})

test('a trusted proxy decides by its flag, whatever the share', () => {
  const sampled = drawn(0, [], coming('01', true))
  assert.equal(sampled.trace?.traceId, traceId)
  assert.equal(sampled.trace.parentId, parentId)
  assert.equal(sampled.traceparent, `00-${traceId}-${sampled.trace.spanId}-01`)
  const unsampled = drawn(1, [], coming('00', true))
  assert.equal(unsampled.trace, undefined)
  assert.equal(unsampled.traceparent, `00-${traceId}-${parentId}-00`, 'it goes on as it came')
  assert.ok(drawn(0, [], coming('03', true)).trace, 'other flags do not matter')
})

test("a stranger's trace goes on, but neither his flag nor his id decides", () => {
  const refused = drawn(0.25, [at(0.1)], coming('01', false))
  assert.equal(refused.trace, undefined)
  assert.equal(refused.traceparent, `00-${traceId}-${parentId}-00`)
  const taken = drawn(0.25, [at(0.9)], coming('00', false))
  assert.equal(taken.trace?.traceId, traceId)
  assert.equal(taken.traceparent, `00-${traceId}-${taken.trace.spanId}-01`)
})

test('a traceparent of a later version goes on as one of ours', () => {
  const x = exchangeOf()
  x.isProxied = true
  x.traceparent = `cc-${traceId}-${parentId}-01-more`
  assert.equal(drawn(0, [], x).traceparent, `00-${traceId}-${x.trace!.spanId}-01`)
})

test('ids are never all zero, and none is given twice', () => {
  let fills = 0
  const ids = createTraceIds((bytes) => bytes.fill(fills++ === 0 ? 0 : 0xab))
  assert.equal(ids.trace(), 'ab'.repeat(16))
  const real = createTraceIds()
  const given = new Set<string>()
  for (let i = 0; i < 2000; i++) given.add(i % 2 === 0 ? real.trace() : real.span())
  assert.equal(given.size, 2000)
  for (const id of given) assert.match(id, /^(?:[0-9a-f]{16}){1,2}$/)
})
