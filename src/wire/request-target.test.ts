import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOriginForm, parseAbsoluteTarget, targetByte } from './request-target.ts'

const allowed = (text: string): boolean => [...Buffer.from(text, 'latin1')].every((byte) => targetByte[byte] === 1)

test('knows the bytes of a target', () => {
  assert.ok(allowed("/a-b_c.d~e!$&'()*+,;=:@%20?x={y}|^`\\[]"))
  for (const c of ['"', '#', '<', '>', ' ', '\t', '\r', '\n', '\0', '\x7f', '\x80', '\xff'])
    assert.ok(!allowed(c), JSON.stringify(c))
})

test('origin form begins with a slash; the asterisk belongs to OPTIONS', () => {
  assert.ok(isOriginForm('GET', '/'))
  assert.ok(isOriginForm('OPTIONS', '*'))
  assert.ok(!isOriginForm('GET', '*'))
  assert.ok(!isOriginForm('OPTIONS', '**'))
  assert.ok(!isOriginForm('GET', 'http://a/'))
  assert.ok(!isOriginForm('GET', 'a'))
  assert.ok(!isOriginForm('GET', '?a'))
})

test('takes an absolute target apart', () => {
  assert.deepEqual(parseAbsoluteTarget('GET', 'HTTP://A.example:81/b?c'), { authority: 'a.example:81', target: '/b?c' })
  assert.deepEqual(parseAbsoluteTarget('GET', 'https://a'), { authority: 'a', target: '/' })
  assert.deepEqual(parseAbsoluteTarget('GET', 'http://a?b'), { authority: 'a', target: '/?b' })
  assert.deepEqual(parseAbsoluteTarget('OPTIONS', 'http://a'), { authority: 'a', target: '*' })
  for (const target of [
    'http:///b',
    'http://u@a/',
    'ftp://a/',
    'http:/a',
    'a:80',
    '',
    'http://a b',
    'javascript:1',
    'http://a,b/',
  ]) {
    assert.equal(parseAbsoluteTarget('GET', target), undefined, target)
  }
})
