import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StoreUnusable } from '../../core/stores.ts'
import { parseRedisUrl, targetWords } from './redis-url.ts'

const plain = { isTls: false, username: undefined, password: undefined, database: 0 }

test('says where a Redis is and as whom to speak to it', () => {
  const cases: readonly (readonly [string, ReturnType<typeof parseRedisUrl>])[] = [
    ['redis://127.0.0.1', { ...plain, nodes: [{ host: '127.0.0.1', port: 6379 }] }],
    ['redis://cache:7000/', { ...plain, nodes: [{ host: 'cache', port: 7000 }] }],
    ['rediss://cache/15', { ...plain, isTls: true, database: 15, nodes: [{ host: 'cache', port: 6379 }] }],
    ['redis://[::1]:7000', { ...plain, nodes: [{ host: '::1', port: 7000 }] }],
    ['redis://:p%40:ss@h', { ...plain, password: 'p@:ss', nodes: [{ host: 'h', port: 6379 }] }],
    ['redis://me:x@h', { ...plain, username: 'me', password: 'x', nodes: [{ host: 'h', port: 6379 }] }],
    [
      'redis://a,b:7001,[::2]:7002',
      {
        ...plain,
        nodes: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 7001 },
          { host: '::2', port: 7002 },
        ],
      },
    ],
  ]
  for (const [url, target] of cases) assert.deepEqual(parseRedisUrl(url), target, url)
  assert.equal(targetWords(parseRedisUrl('redis://me:x@a,[::2]:7002')), 'a:6379, [::2]:7002')
})

test('refuses what is none, without repeating it', () => {
  const schemes = ['', 'redis:', 'redis://', 'http://h', '127.0.0.1:6379', 'redis://hunter2@']
  const ports = ['redis://h:0', 'redis://h:65536', 'redis://h:hunter2', 'redis://[::1']
  const rest = ['redis://h/x', 'redis://h?db=1', 'redis://h#1', 'redis://a,,b', 'redis://:%hunter2@h', 'redis://a b']
  for (const url of [...schemes, ...ports, ...rest]) {
    assert.throws(
      () => parseRedisUrl(url),
      (thrown) => thrown instanceof StoreUnusable && !thrown.message.includes('hunter2'),
      url,
    )
  }
})
