import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './suggest.ts'

test('finds the name that was meant', () => {
  const names = ['timeout', 'timeouts', 'targets', 'retries', 'url']
  assert.equal(nearest('retires', names), 'retries')
  assert.equal(nearest('timout', names), 'timeout')
  assert.equal(nearest('Timeouts', names), 'timeouts')
  assert.equal(nearest('uri', names), 'url')
})

test('is silent when nothing is near', () => {
  assert.equal(nearest('banana', ['timeout', 'url']), undefined)
  assert.equal(nearest('to', ['url']), undefined)
  assert.equal(nearest('x', []), undefined)
})

test('does not offer the word itself', () => {
  assert.equal(nearest('orders', ['orders']), undefined)
})
