import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queuePrototype, releaseAnswered } from './released-commands.ts'

interface Node {
  next: Node | undefined
}

interface List {
  readonly head: Node | undefined
  readonly length: number
  push(value: string): Node
  shift(): string | undefined
}

test('a command that was answered leads to no other one any more', () => {
  releaseAnswered()
  releaseAnswered()
  const prototype = queuePrototype()
  assert.ok(prototype !== undefined, 'the package of the client is built otherwise: see whether it lets go by itself')
  const list = new (prototype.constructor as new () => List)()
  assert.equal(list.shift(), undefined)
  const first = list.push('first')
  const second = list.push('second')
  assert.equal(first.next, second)
  assert.equal(list.shift(), 'first')
  assert.equal(first.next, undefined)
  assert.equal(list.head, second)
  list.push('third')
  assert.deepEqual([list.length, list.shift(), list.shift(), list.shift(), list.length], [2, 'second', 'third', undefined, 0])
})
