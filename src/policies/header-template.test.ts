import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Identity } from '../core/identity.ts'
import { compileHeaderTemplate, headerTemplateOption } from './header-template.ts'

const identity: Identity = {
  kind: 'bearer',
  issuer: 'https://issuer.example.com',
  subject: 'Jürgen\r\nx-evil: 1',
  tenant: 'acme',
  client: undefined,
  scopes: [],
  roles: [],
  claims: { plan: 'gold', level: 3, groups: ['a', 'b'], none: null },
  expiresAt: Infinity,
  session: undefined,
  credentialId: undefined,
}

function valueOf(text: string, edit: (x: Exchange) => void = () => {}): string | undefined {
  const template = compileHeaderTemplate(headerTemplateOption.parse(text))
  const x = exchangeOf({ method: 'GET', target: '/orders/7', headers: ['X-Plan', 'gold', 'X-Odd', 'a b%'] })
  x.clientAddress = '192.0.2.7'
  x.id = 'id-1'
  edit(x)
  return typeof template === 'string' ? template : template(x)
}
const known = (x: Exchange): void => void (x.identity = identity)

function remedy(text: string): unknown {
  const issue = headerTemplateOption.safeParse(text).error!.issues[0] as { params?: { remedy: string } }
  return issue.params?.remedy
}

test('values carry what is known of the request', () => {
  assert.equal(valueOf('from {address} by {method}, {request-id}'), 'from 192.0.2.7 by GET, id-1')
  assert.equal(valueOf('{tenant}/{claim:plan}/{claim:level}/{claim:groups}', known), 'acme/gold/3/a,b')
  assert.equal(valueOf('{header:X-Plan}'), 'gold')
})

test('nothing in a value can begin another line', () => {
  assert.equal(valueOf('{subject}', known), 'J%C3%BCrgen%0D%0Ax-evil:%201')
  assert.equal(valueOf('{header:x-odd}'), 'a%20b%25')
})

test('a value of which a part is not known is none', () => {
  for (const text of ['{subject}', 'by {tenant}', '{claim:plan}', '{header:x-none}', '{param:id}'])
    assert.equal(valueOf(text), undefined)
  assert.equal(valueOf('{client}', known), undefined)
  assert.equal(valueOf('{claim:none}', known), undefined)
})

test('other braces stand for themselves', () => {
  for (const text of ['{"group":"a","max_age":1}', 'a { b } c', '{}', '{{', '{1}'])
    assert.equal(typeof compileHeaderTemplate(headerTemplateOption.parse(text)), 'string')
})

test('a name that means nothing is refused, with the one that was meant', () => {
  assert.equal(remedy('{subjct}'), 'did you mean "{subject}"?')
  assert.match(String(remedy('{constructor}')), /^use one of subject, /)
  assert.match(String(remedy('{toString:x}')), /^use one of subject, /)
})
