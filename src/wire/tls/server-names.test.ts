import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ServerNames, hostOf } from './server-names.ts'

describe('server names', () => {
  const names = new ServerNames([
    ['example.com', '*.example.com', '127.0.0.1', '::1'],
    ['api.example.com', 'example.com'],
    ['*.api.example.com'],
  ])

  it('prefers the exact name to a wildcard, whatever the order', () => {
    assert.equal(names.find('api.example.com'), 1)
    assert.equal(names.find('www.example.com'), 0)
  })
  it('prefers the earlier of two certificates with one name', () => assert.equal(names.find('example.com'), 0))
  it('lets a wildcard stand for exactly one label', () => {
    assert.equal(names.find('a.api.example.com'), 2)
    assert.equal(names.find('a.b.example.com'), -1)
    assert.equal(names.find('.example.com'), -1)
  })
  it('finds nothing for what no certificate names', () => {
    for (const name of ['example.org', '', 'com', 'xexample.com', '*.example.org']) assert.equal(names.find(name), -1, name)
  })
  it('knows that a certificate may be good for a name without being the one chosen', () => {
    assert.ok(names.covers(0, 'api.example.com'))
    assert.ok(names.covers(1, 'example.com'))
    assert.ok(!names.covers(1, 'www.example.com'))
    assert.ok(names.covers(0, '::1'))
  })
  it('reads the host of an authority', () => {
    assert.equal(hostOf('example.com:8443'), 'example.com')
    assert.equal(hostOf('example.com.'), 'example.com')
    assert.equal(hostOf('[::1]:8443'), '::1')
    assert.equal(hostOf('[::1]'), '::1')
    assert.equal(hostOf('127.0.0.1:1'), '127.0.0.1')
    assert.equal(hostOf(''), '')
  })
})
