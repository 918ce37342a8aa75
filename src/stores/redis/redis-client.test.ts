import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, createCluster } from 'redis'
import { sharedClass } from './redis-client.ts'

// That a connection is made anew, while the store is down and everybody tries, must not cost the event loop a new class.
test('clients to different servers are of one class', () => {
  const [one, other] = [1, 2].map((port) => createClient({ ...sharedClass, socket: { port } }))
  assert.equal(one.constructor, other.constructor)
})

test('so are those to clusters', () => {
  const [one, other] = [1, 2].map((port) => createCluster({ ...sharedClass, rootNodes: [{ socket: { port } }] }))
  assert.equal(one.constructor, other.constructor)
})

test('without that they are not', () => {
  const [one, other] = [1, 2].map((port) => createClient({ socket: { port } }))
  assert.notEqual(one.constructor, other.constructor)
})
