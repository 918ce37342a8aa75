import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compare, sentinel } from './compare.ts'
import { Dice, makeMessage } from './messages.ts'
import type { Peer, PeerReading } from './peers.ts'
import { createNginxPeer, createNodePeer, hasNginx } from './peers.ts'

// A short, seeded run of what `npm run fuzz` does to requests for as long as one likes.
const messages = 2000
const atOnce = 16

async function fuzz(peer: Peer, seed: number): Promise<void> {
  const dice = new Dice(seed)
  let left = messages
  let forwarded = 0
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const { isForwarded, differences } = await compare(makeMessage(dice), [peer])
      if (isForwarded) forwarded++
      // Whether one peer alone refuses says nothing: each has its own narrowness.
      const misread = differences.filter(({ why }) => !why.startsWith('no other'))
      assert.deepEqual(misread, [])
    }
  }
  try {
    await Promise.all(Array.from({ length: atOnce }, work))
    assert.ok(forwarded > messages / 10, `only ${forwarded} messages were good enough to be compared`)
  } finally {
    await peer.close()
  }
}

describe('nothing is forwarded that another implementation reads differently', () => {
  test('node:http', async () => fuzz(await createNodePeer(), 1))
  test('nginx', { skip: hasNginx() ? false : 'nginx is not on this machine' }, async () => fuzz(await createNginxPeer(), 2))
})

describe('the comparison itself', () => {
  const message = 'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab'
  const first = { method: 'POST', target: '/1', host: 'a', content: 'ab', fields: undefined }
  const last = { method: 'GET', target: '/sentinel', host: 'a', content: '', fields: undefined }
  const reading = (given: Partial<PeerReading>): Peer => ({
    name: 'a peer',
    read: async () => ({ requests: [first, last], open: undefined, hasRefused: false, ...given }),
    close: async () => {},
  })
  const whys = async (given: Partial<PeerReading>, text = message): Promise<string[]> =>
    (await compare(text, [reading(given)])).differences.map(({ why }) => why)

  test('finds none where there is none', async () => assert.deepEqual(await whys({}), []))
  test('finds another method, target, authority or content', async () => {
    for (const other of [{ method: 'GET' }, { target: '/2' }, { host: 'b' }, { content: 'a' }]) {
      assert.equal((await whys({ requests: [{ ...first, ...other }, last] })).length, 1)
    }
  })
  test('finds a request that is part of another one to the peer', async () => {
    assert.deepEqual(await whys({ requests: [first] }), ['request 2 is none, or not complete, to the other'])
  })
  test('finds what everybody else refuses', async () => {
    assert.deepEqual(await whys({ requests: [], hasRefused: true }), ['no other implementation accepts it'])
  })
  test('finds a body that is complete to the peer alone', async () => {
    const waiting = `POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: ${sentinel.length + 1}\r\n\r\n`
    assert.deepEqual(await whys({}, waiting), ['a body that we wait for is complete to the other'])
  })
})
