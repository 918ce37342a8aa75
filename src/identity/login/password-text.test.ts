import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNewPassword, passwordForm } from './password-text.ts'
import { parseUserName, userNameForm } from './user-name.ts'

test('a password is the same however its accents were typed', () => {
  assert.equal(passwordForm('cafe\u0301 au lait'), passwordForm('caf\u00e9 au lait'))
})

test('what can be nobody’s password has no form', () => {
  for (const typed of ['', '\ud800abcdefgh', 'x'.repeat(1025), 'é'.repeat(600)]) assert.equal(passwordForm(typed), undefined)
})

test('short, common and name-like passwords are not set; composition does not matter', () => {
  for (const bad of ['short', 'Password123', 'aaaaaaaaaaaa', 'ada.lovelace', '']) {
    assert.throws(() => parseNewPassword(bad, 'ada.lovelace'), { name: 'PasswordFault' }, bad)
  }
  for (const good of ['correct horse battery staple', 'dzvqwmkp', '密码学是一门好的学问'])
    assert.equal(parseNewPassword(good, 'ada'), good)
})

test('the message about a bad password does not hold it', () => {
  try {
    parseNewPassword('Passw0rd', 'ada')
    assert.fail('it was taken')
  } catch (thrown) {
    assert.ok(!(thrown as Error).message.toLowerCase().includes('passw0rd'))
  }
})

test('a name has one form: case, width and composition make no second user', () => {
  for (const typed of ['Ada', ' ada ', 'ＡＤＡ', 'aDa']) assert.equal(userNameForm(typed), 'ada')
  assert.equal(userNameForm('Ada@Example.com'), 'ada@example.com')
})

test('what is no name is none', () => {
  for (const typed of ['', ' ', 'a b', 'a\nb', 'a\0', 'x'.repeat(129), '\ud800', 'a/b', 'a"b']) {
    assert.equal(userNameForm(typed), undefined, JSON.stringify(typed))
    assert.throws(() => parseUserName(typed), { name: 'UserNameFault' })
  }
})
