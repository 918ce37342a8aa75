import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createTestAuthority } from '../../../test/support/authority.ts'
import { isRevokedBy, parseRevocationLists, readRevocationLists } from './revocation-list.ts'

const toDer = (pem: string): Buffer => Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64')

test('lists are read from PEM, also several in a file, and from DER', async () => {
  const authority = await createTestAuthority('A')
  const pem = await authority.revocationList(['0a'])
  assert.equal(parseRevocationLists(Buffer.from(`words\n${pem}${pem}`)).length, 2)
  const [fromDer] = parseRevocationLists(toDer(pem))
  assert.equal(fromDer, pem.trimEnd())
})

test('what is no list is refused in a sentence', () => {
  assert.throws(() => parseRevocationLists(Buffer.from('')), /holds no PEM block/)
  assert.throws(() => parseRevocationLists(Buffer.from([0x30, 1, 2])), /list 1 of the file cannot be read/)
  const broken = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n'
  assert.throws(() => parseRevocationLists(Buffer.from(broken)), /list 1 of the file cannot be read/)
})

test('a list revokes certificates of its own authority only, and tells its end', async () => {
  const authority = await createTestAuthority('A')
  const other = await createTestAuthority('B')
  const nextUpdate = new Date(Date.UTC(2040, 0, 1))
  const lists = [await authority.revocationList(['0a'], nextUpdate)]
  const { revoked, endsAt } = await readRevocationLists(lists, authority.cert + other.cert)
  assert.equal(endsAt, nextUpdate.getTime())
  const issued = async (by: typeof authority, serial: string): Promise<X509Certificate> =>
    new X509Certificate((await by.issue('x', { serial })).cert)
  assert.equal(isRevokedBy(revoked, await issued(authority, '0a')), true)
  assert.equal(isRevokedBy(revoked, await issued(authority, '0b')), false)
  assert.equal(isRevokedBy(revoked, await issued(other, '0a')), false)
})
