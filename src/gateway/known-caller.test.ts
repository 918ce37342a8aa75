import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserRow } from '../identity/login/users.ts'
import type { AssumedCaller } from './explanation.ts'
import { knownCaller } from './known-caller.ts'

const ada: UserRow = { name: 'ada', subject: 'u-1', tenant: 'acme', roles: ['buyer'], isEnabled: true, createdAt: 0, passwordAt: 0 }
const users = { list: async () => [ada, { ...ada, name: 'bob', subject: 'u-2', roles: [], isEnabled: false }] }

async function known(caller?: AssumedCaller): Promise<{ caller: AssumedCaller | undefined; notes: string }> {
  const asked = { method: 'GET', url: '/', headers: [], ...(caller === undefined ? {} : { caller }) }
  const { question, notes } = await knownCaller(asked, users)
  return { caller: question.caller, notes: notes.join(' ') }
}

test('a person is known by name and by subject, with what the store says of them', async () => {
  for (const subject of ['ada', 'u-1']) {
    const { caller, notes } = await known({ subject })
    assert.deepEqual(caller, { subject: 'u-1', roles: ['buyer'], tenant: 'acme' })
    assert.match(notes, /tenant acme, roles buyer/)
  }
  assert.match((await known({ subject: 'bob' })).notes, /roles \(none\).*disabled/)
})

test('what the question says itself stands', async () => {
  assert.equal((await known({ subject: 'ada', tenant: 'globex' })).caller?.tenant, 'globex')
  assert.deepEqual((await known({ subject: 'ada', roles: ['staff'] })).caller, { subject: 'ada', roles: ['staff'] })
  assert.deepEqual(await known({ subject: 'nobody' }), { caller: { subject: 'nobody' }, notes: '' })
  assert.deepEqual(await known(), { caller: undefined, notes: '' })
})

test('a store that does not answer keeps nothing from being explained', async () => {
  const silent = { list: () => Promise.reject(new Error('down')) }
  const asked = { method: 'GET', url: '/', headers: [], caller: { subject: 'ada' } }
  const { question, notes } = await knownCaller(asked, silent)
  assert.equal(question, asked)
  assert.match(notes[0], /store does not answer/)
})
