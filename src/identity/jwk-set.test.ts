import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { signingKey } from '../../test/support/token-issuer.ts'
import { KeySetError, parseJwkSet } from './jwk-set.ts'
import { importVerificationKey } from './verification-key.ts'

const all = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const ec = signingKey('ES256', 'ec')
const rsa = signingKey('RS256', 'rsa')
const ed = signingKey('EdDSA', 'ed')

const parse = (keys: readonly unknown[], algorithms = all): readonly { kid: string; algorithm: string }[] =>
  parseJwkSet(Buffer.from(JSON.stringify({ keys })), algorithms)

/** What becomes of one odd key beside a good one. */
function oddKey(changes: object, of = ec): string {
  const found = parse([{ ...of.jwk, kid: 'odd', ...changes }, rsa.jwk]).find(({ kid }) => kid === 'odd')
  return found === undefined ? 'passed over' : found.algorithm
}

test('takes keys of each type, each for one algorithm', () => {
  const keys = parse([ec.jwk, rsa.jwk, ed.jwk, signingKey('ES384', 'ec3').jwk])
  assert.deepEqual(
    keys.map(({ kid, algorithm }) => `${kid} ${algorithm}`),
    ['ec ES256', 'rsa RS256', 'ed EdDSA', 'ec3 ES384'],
  )
})

test('a key without alg is used as its type and its issuer say', () => {
  assert.equal(oddKey({ alg: undefined }), 'ES256')
  assert.equal(oddKey({ alg: undefined }, ed), 'EdDSA')
  assert.equal(parse([{ ...rsa.jwk, alg: undefined }], ['PS512', 'RS256'])[0].algorithm, 'PS512')
  assert.equal(parse([{ ...ed.jwk, alg: 'Ed25519' }], ['EdDSA'])[0].algorithm, 'EdDSA')
  assert.equal(parse([{ ...ed.jwk, alg: 'EdDSA' }], ['Ed25519'])[0].algorithm, 'EdDSA')
})

test('passes over what cannot or shall not verify', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  assert.equal(oddKey({ use: 'enc' }), 'passed over')
  assert.equal(oddKey({ key_ops: ['sign'] }), 'passed over')
  assert.equal(oddKey({ key_ops: ['verify'] }), 'ES256')
  assert.equal(oddKey({ alg: 'RS256' }), 'passed over', 'an algorithm of another type')
  assert.equal(oddKey({ alg: 'none' }), 'passed over')
  assert.equal(oddKey({ alg: 'HS256', kty: 'oct', k: 'AAAA' }), 'passed over')
  assert.equal(oddKey({ alg: 5 }), 'passed over')
  assert.equal(oddKey({ crv: 'secp256k1' }), 'passed over')
  assert.equal(oddKey({ kty: 'OKP' }), 'passed over')
  assert.equal(oddKey({ x: 7 }), 'passed over')
  assert.equal(oddKey({ ...short, alg: 'RS256' }, rsa), 'passed over', 'an RSA key of 1024 bits')
  for (const kid of [undefined, '', 5, 'a b', 'k'.repeat(65)]) assert.equal(parse([{ ...ec.jwk, kid }, rsa.jwk]).length, 1)
  assert.equal(parse([ec.jwk, null, 'x', [], {}, rsa.jwk]).length, 2)
  assert.deepEqual(
    parse([ec.jwk, rsa.jwk], ['RS256']).map(({ kid }) => kid),
    ['rsa'],
    'an algorithm the issuer is not trusted for',
  )
})

test('keeps nothing but the public members of a key', () => {
  const { privateKey } = ec
  const leaked = { ...privateKey.export({ format: 'jwk' }), kid: 'ec', alg: 'ES256', x5c: ['MII'], other: 'x' }
  const [key] = parseJwkSet(Buffer.from(JSON.stringify({ keys: [leaked] })), all)
  assert.deepEqual(Object.keys(key.jwk).sort(), ['crv', 'kty', 'x', 'y'])
})

test('of two keys with one id the first counts', async () => {
  const [key] = parseJwkSet(Buffer.from(JSON.stringify({ keys: [ec.jwk, { ...rsa.jwk, kid: 'ec' }] })), all)
  assert.equal(key.algorithm, 'ES256')
  assert.equal((await importVerificationKey(key)).algorithm, 'ES256')
})

test('refuses what is no set, or a set without a usable key', () => {
  const texts = [
    '',
    'x',
    '[]',
    '{}',
    '{"keys":null}',
    '{"keys":[]}',
    '{"keys":[1]}',
    '{"keys":[],"keys":[]}',
    '{"__proto__":1,"keys":[]}',
  ]
  for (const text of texts) assert.throws(() => parseJwkSet(Buffer.from(text), all), KeySetError, text)
  assert.throws(() => parse([ec.jwk], ['RS256']), /no usable key among its 1/)
  assert.throws(() => parse(Array.from({ length: 101 }, () => ec.jwk)), /more than 100/)
  assert.throws(() => parseJwkSet(Buffer.alloc(256 * 1024 + 1, 32), all), /256 KiB/)
})

test('a point that is not on its curve is no key', async () => {
  const [key] = parseJwkSet(Buffer.from(JSON.stringify({ keys: [{ ...ec.jwk, x: ec.jwk['y'] }] })), all)
  await assert.rejects(importVerificationKey(key))
})
