import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { forwardingLines, originBehindProxies } from './forwarded.ts'

const trusted = new Set(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
const isTrusted = (address: string): boolean => trusted.has(address)
const parse = (text: string): string | undefined => (isIP(text) === 0 ? undefined : text)

function origin(headers: string[], remoteAddress = '10.0.0.1'): unknown {
  const { address, scheme } = originBehindProxies(exchangeOf({ headers, remoteAddress }), isTrusted, parse)
  return `${scheme} ${address}`
}

test('the first address that is not trusted, from the near end, is the client', () => {
  assert.equal(origin(['X-Forwarded-For', '203.0.113.9']), 'http 203.0.113.9')
  assert.equal(origin(['X-Forwarded-For', '203.0.113.9, 10.0.0.3, 10.0.0.2']), 'http 203.0.113.9')
})

test('what a client wrote in front of the chain is not believed', () => {
  assert.equal(origin(['X-Forwarded-For', '198.51.100.1, 203.0.113.9, 10.0.0.2']), 'http 203.0.113.9')
  assert.equal(origin(['X-Forwarded-For', '198.51.100.1', 'X-Forwarded-For', '203.0.113.9']), 'http 203.0.113.9')
})

test('a peer that is not trusted is the client, whatever it says', () => {
  assert.equal(origin(['X-Forwarded-For', '203.0.113.9'], '192.0.2.77'), 'http 192.0.2.77')
})

test('an entry that is no address ends the walk at the last hop that is known', () => {
  assert.equal(origin(['X-Forwarded-For', '203.0.113.9, unknown, 10.0.0.2']), 'http 10.0.0.2')
  assert.equal(origin(['X-Forwarded-For', 'garbage']), 'http 10.0.0.1')
})

test('an entry that is no address as a whole is none, whatever it begins or ends with', () => {
  for (const hop of [
    '[192.0.2.7x',
    '[2001:db8::1]192.0.2.7',
    '[2001:db8::1',
    '192.0.2.7:x',
    '192.0.2.7:123456',
    '[2001:db8::1]:',
  ]) {
    assert.equal(origin(['X-Forwarded-For', `203.0.113.9, ${hop}`]), 'http 10.0.0.1', hop)
  }
  assert.equal(origin(['Forwarded', 'for="203.0.113.9:_port"']), 'http 203.0.113.9')
})

test('ports and brackets are taken off', () => {
  assert.equal(origin(['X-Forwarded-For', '203.0.113.9:4711']), 'http 203.0.113.9')
  assert.equal(origin(['X-Forwarded-For', '[2001:db8::1]:4711']), 'http 2001:db8::1')
  assert.equal(origin(['X-Forwarded-For', '2001:db8::1']), 'http 2001:db8::1')
})

test('a chain of thousands of trusted hops is walked only so far', () => {
  const chain = Array.from({ length: 5000 }, () => '10.0.0.2').join(', ')
  assert.equal(origin(['X-Forwarded-For', `203.0.113.9, ${chain}`]), 'http 10.0.0.2')
})

test('Forwarded serves when there is no X-Forwarded-For', () => {
  assert.equal(origin(['Forwarded', 'for="[2001:db8::7]:99";proto=https, for=10.0.0.2;proto=https']), 'https 2001:db8::7')
  assert.equal(origin(['Forwarded', 'for=203.0.113.9']), 'http 203.0.113.9')
})

test('the nearest proxy says the scheme', () => {
  assert.equal(origin(['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'https']), 'https 203.0.113.9')
  assert.equal(origin(['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'gopher']), 'http 203.0.113.9')
})

test('a service gets a new chain from a stranger and a continued one from a trusted proxy', () => {
  const headers = ['X-Forwarded-For', '203.0.113.9', 'Forwarded', 'for=203.0.113.9', 'X-Forwarded-Host', 'shop.example']
  const stranger = exchangeOf({ headers, remoteAddress: '2001:db8::5' })
  assert.equal(
    forwardingLines(stranger, false),
    'Forwarded: for="[2001:db8::5]";host="api.example.com";proto=http\r\nX-Forwarded-For: 2001:db8::5\r\n' +
      'X-Forwarded-Host: api.example.com\r\nX-Forwarded-Proto: http\r\n',
  )
  const proxy = exchangeOf({ headers, remoteAddress: '10.0.0.1' })
  assert.equal(
    forwardingLines(proxy, true),
    'Forwarded: for=203.0.113.9, for=10.0.0.1;host="api.example.com";proto=http\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1\r\n' +
      'X-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: http\r\n',
  )
})
