import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../core/manual-clock.ts'
import { FakeProvider } from '../../../test/support/fake-provider.ts'
import { providerSpec } from '../../../test/support/oidc-world.ts'
import type { ProviderSpec } from '../identity-spec.ts'
import { isTelling, mapClaims } from './provider-accounts.ts'

const provider = new FakeProvider('https://corp.example.com', new ManualClock())
const specOf = (over: Partial<ProviderSpec> = {}): ProviderSpec => providerSpec('corp', provider, over)

const rolesOf = (claims: Record<string, unknown>, over: Partial<ProviderSpec> = {}): readonly string[] =>
  mapClaims(claims, specOf(over)).roles
const tenantOf = (claims: Record<string, unknown>, over: Partial<ProviderSpec> = {}): string | undefined =>
  mapClaims(claims, specOf(over)).tenant

test('roles are those of the configuration, and of no claim that it does not name', () => {
  assert.deepEqual(rolesOf({}), ['member'])
  assert.deepEqual(rolesOf({ groups: ['shop', 'staff', 'admin'], roles: ['admin'] }), ['member', 'staff'])
  assert.deepEqual(rolesOf({ groups: 'other shop' }), ['member', 'staff'])
  for (const groups of [null, 7, { shop: true }, [['shop']], 'shopping', [{ toString: 'shop' }]])
    assert.deepEqual(rolesOf({ groups }), ['member'], JSON.stringify(groups))
  const nested = { rolesClaim: 'realm_access.roles' }
  assert.deepEqual(rolesOf({ realm_access: { roles: ['shop'] } }, nested), ['member', 'staff'])
  assert.deepEqual(rolesOf({ 'realm_access.roles': ['shop'] }, nested), ['member', 'staff'], 'a claim of just that name')
  for (const realm_access of [undefined, null, 'roles', []]) assert.deepEqual(rolesOf({ realm_access }, nested), ['member'])
  assert.deepEqual(rolesOf({}, { rolesClaim: 'constructor.name', roleMap: [['Object', ['staff']]] }), ['member'])
  assert.deepEqual(rolesOf({ groups: ['shop'] }, { rolesClaim: undefined }), ['member'])
  assert.deepEqual(
    rolesOf(
      { groups: ['shop'] },
      {
        roles: [],
        roleMap: [
          ['shop', ['a', 'b']],
          ['x', ['c']],
        ],
      },
    ),
    ['a', 'b'],
  )
})

test('a tenant is a fixed one, or one of those that a claim may name', () => {
  assert.equal(tenantOf({ org: 'acme' }), 'acme')
  for (const org of [undefined, 'nobody', 'ACME', ['acme'], { acme: true }]) assert.equal(tenantOf({ org }), undefined)
  assert.equal(tenantOf({ org: 'acme' }, { tenants: undefined }), undefined)
  assert.equal(tenantOf({ org: 'acme' }, { tenants: undefined, tenant: 'fixed' }), 'fixed')
})

test('claims that leave out what is looked for tell nothing', () => {
  assert.equal(isTelling({ groups: [], org: 'x' }, specOf()), true)
  assert.equal(isTelling({ groups: [] }, specOf()), false)
  assert.equal(isTelling({ org: 'x' }, specOf()), false)
  assert.equal(isTelling({}, specOf({ rolesClaim: undefined, tenants: undefined })), true)
})
