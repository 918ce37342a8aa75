import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { acceptedForm } from './stream-form.ts'

suite('the form of a stream', () => {
  const asked: [string | undefined, string | undefined][] = [
    [undefined, 'application/x-ndjson'],
    ['', 'application/x-ndjson'],
    ['*/*', 'application/x-ndjson'],
    ['text/event-stream', 'text/event-stream'],
    ['TEXT/Event-Stream; q=0.5, application/json;q=0.4', 'text/event-stream'],
    ['application/json;q=0.4, application/jsonl', 'application/x-ndjson'],
    ['application/json, */*;q=0.1', 'application/json'],
    ['text/html', undefined],
    ['application/json;q=0', undefined],
    ['application/json;q=x', undefined],
  ]
  for (const [accept, type] of asked)
    test(`${accept ?? 'nothing'} is answered with ${type ?? '406'}`, () => assert.equal(acceptedForm(accept)?.type, type))
})
