import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAuthority } from './authority.ts'

test('takes names, addresses and ports, in lower case', () => {
  for (const [text, expected] of [
    ['example.com', 'example.com'],
    ['EXAMPLE.com:8080', 'example.com:8080'],
    ['a_b.internal', 'a_b.internal'],
    ['127.0.0.1:1', '127.0.0.1:1'],
    ['[::1]', '[::1]'],
    ['[2001:DB8::1]:65535', '[2001:db8::1]:65535'],
    ['xn--bcher-kva.example.', 'xn--bcher-kva.example.'],
  ]) {
    assert.equal(parseAuthority(text), expected)
  }
})

test('refuses everything else', () => {
  for (const text of [
    '',
    ':80',
    'a:',
    'a:0',
    'a:080',
    'a:65536',
    'a:123456',
    'a:+80',
    'a: 80',
    'a:8x',
    'a b',
    'a/b',
    'a?b',
    'a#b',
    'user@a',
    'user:secret@a',
    'a,b',
    'a, b',
    'a%2eb',
    'ä',
    'a\tb',
    'a\0',
    "a'b",
    '[::1',
    '[::1]x',
    '[::1]:',
    '[]',
    '[1.2.3.4]',
    '[fe80::1%eth0]',
    '[fe80::1%25eth0]',
    '::1',
    'http://a',
    'a'.repeat(256),
  ]) {
    assert.equal(parseAuthority(text), undefined, text)
  }
})
