import assert from 'node:assert/strict'
import { test } from 'node:test'
import { releaseChunk } from '../../core/body.ts'
import { IncomingBody } from './incoming-body.ts'
import { giveBack, takeMemory } from './slabs.ts'

const memoryOf = (piece: Buffer): ArrayBufferLike => piece.buffer

test('a slab that was given back is used again, once', () => {
  const first = takeMemory(40_000).subarray(0, 40_000)
  giveBack(first)
  giveBack(first)
  const second = takeMemory(65_536)
  assert.equal(memoryOf(second), memoryOf(first))
  assert.notEqual(memoryOf(takeMemory(65_536)), memoryOf(first))
})

test('small pieces, and memory of others, never become slabs', () => {
  const small = takeMemory(1000)
  giveBack(small)
  const foreign = Buffer.allocUnsafeSlow(65_536)
  giveBack(foreign)
  const part = takeMemory(50_000).subarray(0, 100)
  giveBack(part)
  const next = takeMemory(65_536)
  assert.notEqual(memoryOf(next), memoryOf(foreign))
  assert.notEqual(memoryOf(next), memoryOf(part))
  assert.ok(takeMemory(100_000).length === 100_000)
})

const source = { bodyWanted() {}, bodyTaken() {} }
const filled = (): IncomingBody => {
  const body = new IncomingBody({ kind: 'length', length: 50_000 }, source)
  body.take(Buffer.alloc(40_000, 'x'), 0, 40_000)
  return body
}

test("a body's piece is used again when its reader lets go of it", () => {
  const body = filled()
  const piece = body.pull() as Buffer
  releaseChunk(body, piece)
  assert.equal(memoryOf(takeMemory(65_536)), memoryOf(piece))
})

test('what a fork or a replay may still hold is not', () => {
  const forked = filled()
  forked.fork(100_000)
  const piece = forked.pull() as Buffer
  releaseChunk(forked, piece)
  const recorded = filled().replay(100_000)!.first
  const kept = recorded.pull() as Buffer
  releaseChunk(recorded, kept)
  for (let i = 0; i < 3; i++) {
    const next = memoryOf(takeMemory(65_536))
    assert.notEqual(next, memoryOf(piece))
    assert.notEqual(next, memoryOf(kept))
  }
})
