// A schema in front of a service, and clients that mean no good.
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { test } from 'node:test'
import { RawClient } from '../support/raw-client.ts'
import { okay, startRawService } from '../support/raw-service.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
name: schemas
listeners: { web: { port: 0, host: 127.0.0.1 } }
log: { format: none }
services: { orders: { url: '\${ORDERS}' } }
defaults: { auth: public }
routes:
  - { name: orders, match: { path: /orders }, to: orders, body: { schema: order.json } }
  - { name: small, match: { path: /small }, to: orders, body: { max: 1kb, schema: order.json } }
`
const schema = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', pattern: '^(a+)+$' }, child: { $ref: '#/$defs/node' } },
  $defs: {
    node: {
      anyOf: [
        { properties: { child: { $ref: '#/$defs/node' } }, required: ['x'] },
        { properties: { child: { $ref: '#/$defs/node' } }, required: ['y'] },
      ],
    },
  },
}

const head = (path: string, length: number, fields = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\n${fields}Content-Length: ${length}\r\n\r\n`

test('a schema stands between hostile clients and a service', async (t) => {
  const service = await startRawService((socket, request) => void socket.write(okay(request.body)))
  t.after(() => service.close())
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  folder.write('order.json', JSON.stringify(schema))
  const env = { ORDERS: `http://127.0.0.1:${service.port}` }
  assert.equal((await runCommand(['check', '--strict'], { folder: folder.path, env })).code, 0)
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const port = Number(new URL((await readyListeners(velum)).web).port)
  const ask = async (path: string, content: string | Buffer, fields = ''): Promise<{ status: number; content: string }> => {
    const client = await RawClient.to(port)
    const bytes = Buffer.from(content)
    client.socket.write(head(path, bytes.length, fields))
    client.socket.write(bytes)
    const answer = await client.answer()
    client.socket.destroy()
    assert.ok(answer !== undefined)
    return answer
  }

  await t.test('what fits reaches it as it was sent', async () => {
    const content = '{ "id" : "aaa", "é": 1.0 }\n'
    const answer = await ask('/orders', content)
    assert.equal(answer.status, 200)
    assert.equal(Buffer.from(service.requests.at(-1)!.body, 'latin1').toString(), content)
  })

  let nested = '{}'
  for (let i = 0; i < 60; i++) nested = `{"child":${nested}}`
  for (const [what, content, status, fields] of [
    ['ten megabytes of brackets', '['.repeat(10 * 1024 * 1024), 400],
    ['ten megabytes of objects in each other', '{"a":'.repeat(2 * 1024 * 1024), 400],
    ['a text that makes patterns backtrack', `{"id":"${'a'.repeat(100_000)}!"}`, 422],
    ['a value that doubles the work at each level', nested, 422],
    ['__proto__', '{"id":"a","__proto__":{"id":"b"}}', 400],
    ['a name twice', '{"id":"b","id":"a"}', 400],
    ['a number without end', `{"id":"a","n":1${'0'.repeat(400)}}`, 400],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d]), 400],
    ['a byte order mark', '\uFEFF{"id":"a"}', 400],
    ['gzip', gzipSync('{"id":"a"}'), 415, 'Content-Encoding: gzip\r\n'],
    ['another type', '{"id":"a"}', 415, 'Content-Type: text/plain\r\n'],
  ] as const) {
    await t.test(`${what}: ${status}, and it hears nothing`, async () => {
      const before = service.requests.length
      const answer = await ask('/orders', content, fields)
      assert.equal(answer.status, status, answer.content.slice(0, 500))
      assert.equal(service.requests.length, before)
    })
  }

  await t.test('a hundred thousand wrong members are told by the first twenty, and no value is told', async () => {
    const members = Array.from({ length: 100_000 }, (_, n) => `"m${n}":"hunter2"`).join(',')
    const answer = await ask('/orders', `{${members}}`)
    assert.equal(answer.status, 422)
    assert.ok(answer.content.length < 10_000 && !answer.content.includes('hunter2'))
  })

  await t.test('a body of undeclared length beyond its bound is 413', async () => {
    const client = await RawClient.to(port)
    client.send('POST /small HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n')
    client.send(`800\r\n${' '.repeat(0x800)}\r\n`)
    assert.equal((await client.answer())?.status, 413)
    client.socket.destroy()
  })

  await t.test('a client that leaves in the middle costs the service nothing, and the next one is served', async () => {
    const before = service.requests.length
    const client = await RawClient.to(port)
    client.send(`${head('/orders', 100)}{"id":`)
    client.socket.destroy()
    assert.equal((await ask('/orders', '{"id":"aa"}')).status, 200)
    assert.equal(service.requests.length, before + 1)
  })
})
