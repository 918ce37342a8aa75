import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTrustableOrigin } from './origin.ts'

test('an origin is scheme, host and port, as browsers write it', () => {
  for (const good of [
    'https://app.example.com',
    'https://app.example.com:8443',
    'http://localhost:3000',
    'http://127.0.0.1',
    'https://[::1]:1',
  ])
    assert.equal(isTrustableOrigin(good), true, good)
})

test('anything else is none, nor is what anybody on the way could be', () => {
  for (const bad of [
    '*',
    'null',
    '',
    'https://*.example.com',
    'https://app.example.com/',
    'https://APP.example.com',
    'https://app.example.com:443',
    'app.example.com',
    'http://app.example.com',
    'file://',
    'data:,x',
  ])
    assert.equal(isTrustableOrigin(bad), false, bad)
})
