import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Fault } from '../../core/fault.ts'
import { readGetMessage } from './get-message.ts'

const bytesOf = (message: string): string => readGetMessage(`encoding=proto&message=${message}`).bytes.toString('latin1')

suite('the message of a GET', () => {
  test('is what its escapes say', () => {
    assert.equal(bytesOf('a%00%ffb+c%2B'), 'a\0\xffb c+')
    assert.equal(bytesOf(''), '')
  })

  for (const message of ['%', '%%f', '%zz', '%4', '%41%4', '%%%', 'a%41%%41'])
    test(`${message} has a broken escape`, () =>
      assert.throws(
        () => bytesOf(message),
        (thrown) => thrown instanceof Fault && thrown.code === 'malformed',
      ))

  test('in base64 is what either alphabet says, and nothing else', () => {
    for (const message of ['CgE-_w', 'CgE%2B/w==', 'CgE+/w%3D%3D'])
      assert.equal(bytesOf(`${message}&base64=1`), '\n\x01>\xff', message)
    for (const message of ['%00%ff', '%ff', 'a', '*', 'CgE=x', 'CgE-_w==='])
      assert.throws(() => bytesOf(`${message}&base64=1`), /not base64/, message)
  })
})
