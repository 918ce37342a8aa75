import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { textBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { areFields, readFields, readJson } from './read-fields.ts'

const posted = (...types: string[]): Exchange =>
  exchangeOf({ method: 'POST', body: textBody('{"a":"b"}'), headers: types.flatMap((type) => ['content-type', type]) })

test('content is read as JSON where that is its one type, and nothing that only looks like it is', async () => {
  for (const type of ['application/json', 'Application/JSON \t; charset=utf-8']) {
    assert.deepEqual(await readFields(posted(type)), new Map([['a', 'b']]))
    assert.deepEqual(await readJson(posted(type)), { json: { a: 'b' } })
  }
  // A page of another site may send text/plain without asking first.
  const others = [
    [],
    ['text/plain'],
    ['text/plain; application/json'],
    ['application/json\u00a0; a=b'],
    ['application/json', 'text/plain'],
  ]
  for (const types of others) {
    const fields = await readFields(posted(...types))
    assert.equal(areFields(fields) || fields.name, 'unsupported-type', types.join())
    const json = await readJson(posted(...types))
    assert.equal('problem' in json && json.problem.name, 'unsupported-type', types.join())
  }
})
