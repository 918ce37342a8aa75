import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { maxHelloBytes, readClientHello } from './client-hello.ts'

/** A handshake message cut into records of these lengths, the last of which takes the rest. */
function records(hello: Buffer, lengths: readonly number[]): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (const length of [...lengths, hello.length]) {
    const piece = hello.subarray(at, at + length)
    if (piece.length === 0) break
    parts.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece)
    at += piece.length
  }
  return Buffer.concat(parts)
}

function message(bytes: number, type = 1): Buffer {
  const made = Buffer.alloc(4 + bytes, 0xaa)
  made.writeUInt32BE(bytes)
  made[0] = type
  return made
}

test('a hello is known when its last byte has come, wherever it is cut into records', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 8 })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2000 }), lengths, (bytes, cuts) => {
      const hello = records(message(bytes), cuts)
      for (let end = 0; end < hello.length; end++) assert.equal(readClientHello(hello.subarray(0, end)), undefined)
      assert.equal(readClientHello(hello), 'hello')
      assert.equal(readClientHello(Buffer.concat([hello, Buffer.from('early data')])), 'hello')
    }),
    { numRuns: 30 },
  )
})

test('what is not TLS is told from it by its first bytes', () => {
  const readings: [string | number[], ReturnType<typeof readClientHello>][] = [
    ['', undefined],
    ['G', 'http'],
    ['PRI * HTTP/2.0', 'http'],
    ['get / HTTP/1.1', 'not-tls'],
    ['SSH-2.0-x', 'http'],
    [[0x80, 0x2e, 1, 3, 1], 'not-tls'],
    [[22], undefined],
    [[22, 2], 'not-tls'],
    [[22, 3, 1, 0], undefined],
    [[22, 3, 1, 0, 0], 'not-tls'],
    [[22, 3, 1, 0x40, 1], 'not-tls'],
    [[22, 3, 1, 0, 4, 2, 0, 0, 0], 'not-tls'],
    [[22, 3, 1, 0, 4, 255, 255, 255, 255], 'not-tls'],
    [[21, 3, 1, 0, 2], 'not-tls'],
    [[23, 3, 3, 0, 2], 'not-tls'],
  ]
  for (const [bytes, wanted] of readings) assert.equal(readClientHello(Buffer.from(bytes as string)), wanted, String(bytes))
})

test('what goes wrong after the first record is left to TLS', () => {
  const first = records(message(500).subarray(0, 100), [])
  for (const next of [[21], [23, 3, 3, 0, 1], [22, 3, 1, 0, 0]]) {
    const reading = readClientHello(Buffer.concat([first, Buffer.from(next), Buffer.alloc(5)]))
    assert.equal(reading, 'hello', String(next))
  }
})

test('no hello is waited for beyond the bound', () => {
  const huge = records(message(100_000), [16_000, 16_000])
  assert.equal(readClientHello(huge.subarray(0, maxHelloBytes - 1)), undefined)
  assert.equal(readClientHello(huge.subarray(0, maxHelloBytes)), 'hello')
})
