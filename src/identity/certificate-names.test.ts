import assert from 'node:assert/strict'
import type { PeerCertificate } from 'node:tls'
import { test } from 'node:test'
import { certificateNames } from './certificate-names.ts'

const named = (subjectaltname: string | undefined, commonName?: unknown): ReturnType<typeof certificateNames> =>
  certificateNames({ subjectaltname, subject: { CN: commonName }, fingerprint256: 'AB:CD' } as unknown as PeerCertificate)

test('reads the names of a certificate by kind, in its order', () => {
  const names = named('DNS:A.example.com, URI:spiffe://example.org/a, DNS:b, email:a@example.com, IP Address:127.0.0.1', 'a')
  assert.deepEqual(names.dns, ['a.example.com', 'b'])
  assert.deepEqual(names.uri, ['spiffe://example.org/a'])
  assert.deepEqual(names.email, ['a@example.com'])
  assert.deepEqual(names.commonName, ['a'])
  assert.deepEqual(names.fingerprint, ['abcd'])
})

test('no value passes for several: what holds a comma stands in quotes, as Node prints it', () => {
  const names = named('URI:"spiffe://evil/, URI:spiffe://example.org/admin", DNS:after')
  assert.deepEqual(names.uri, ['spiffe://evil/, URI:spiffe://example.org/admin'])
  assert.deepEqual(names.dns, ['after'])
  assert.deepEqual(named('DNS:"a\\", DNS:admin"').dns, ['a", dns:admin'])
  assert.deepEqual(named('DNS:"cut off').dns, [])
})

test('what no header could carry, and a common name of several, is nobody’s name', () => {
  assert.deepEqual(named('URI:"a\\u0000b", URI:"a\\nb"').uri, [])
  assert.deepEqual(named(undefined, ['a', 'b']).commonName, [])
  assert.deepEqual(named('', ' a').commonName, [])
  assert.deepEqual(named('', '').commonName, [])
  assert.deepEqual(named(undefined).dns, [])
})
