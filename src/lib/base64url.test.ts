import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBase64url } from './base64url.ts'

test('reads back what was encoded', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(decodeBase64url(Buffer.from(bytes).toString('base64url')), Buffer.from(bytes))
    }),
  )
})

test('takes one text only for the same bytes', () => {
  assert.deepEqual(decodeBase64url('-_8'), Buffer.from([0xfb, 0xff]))
  for (const text of ['-_9', '-_8=', '+/8', '-_8\n', ' -_8', '-_', '-', '-_8.', '-_8A A', '-\0_8', 'é'])
    assert.equal(decodeBase64url(text), undefined, JSON.stringify(text))
})
