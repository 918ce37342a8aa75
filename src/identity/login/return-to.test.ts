import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseReturnTo } from './return-to.ts'

const parse = (text: string | null): string | undefined => parseReturnTo(text, '/auth/login')

test('a path of this origin is kept, with its query', () => {
  for (const path of ['/', '/orders', '/orders?page=2&x=%2F', '/a/b/c', '/a//b', '/orders#top', '/a:b', '/@me', '/auth/session'])
    assert.equal(parse(path), path)
})

const elsewhere: readonly string[] = [
  'https://evil.example',
  'http:evil.example',
  '//evil.example',
  '///evil.example',
  '////evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '/\r\n/evil.example',
  '\t//evil.example',
  ' //evil.example',
  '/./ /evil.example',
  '/.//evil.example',
  '/..//evil.example',
  '/a/..//evil.example',
  '/%2e//evil.example',
  '/%2e%2e//evil.example',
  'javascript:alert(1)',
  'data:text/html,x',
  '@evil.example',
  'evil.example',
  '.evil.example',
  '?next=//evil.example',
  '',
  '/\u2044evil.example',
  '/\u3002evil',
  '/\0',
  '/auth/login',
  '/auth/login?return_to=/auth/login',
  '/auth/../auth/login',
  `/${'a'.repeat(3000)}`,
]

for (const text of elsewhere) {
  test(`leads nowhere: ${JSON.stringify(text.slice(0, 40))}`, () => assert.equal(parse(text), undefined))
}

test('nothing is nothing', () => {
  assert.equal(parse(null), undefined)
  assert.equal(parseReturnTo(undefined, '/auth/login'), undefined)
})

test('whatever is kept stays on the origin for a browser that follows it', () => {
  const piece = fc.constantFrom(
    '/',
    '\\',
    '.',
    '..',
    '@',
    ':',
    '//',
    '%2e',
    '%2f',
    '%5c',
    'a',
    'evil.example',
    '?',
    '#',
    ' ',
    '\t',
    '\n',
    ';',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const kept = parse(pieces.join(''))
      if (kept === undefined) return
      const url = new URL(kept, 'https://gateway.example/auth/login')
      assert.equal(url.origin, 'https://gateway.example')
      assert.equal(kept[0], '/')
      assert.notEqual(kept[1], '/')
    }),
    { numRuns: 5000 },
  )
})
