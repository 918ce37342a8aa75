import type { DescMessage } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { compileProtos } from '../../../src/bridges/descriptors/compile-protos.ts'
import { readDescriptors } from '../../../src/bridges/descriptors/descriptors.ts'
import { Fault } from '../../../src/core/fault.ts'

const folder = fileURLToPath(new URL('../../e2e/protos', import.meta.url))
const { set } = await compileProtos([`${folder}/shelf/v1/shelf.proto`], folder)
/** A service whose messages hold a field of every kind, and rules of every kind. */
export const shelf = readDescriptors(set!)
/** Its types, and those that are built in. */
export const { registry } = shelf
export const bookType: DescMessage = registry.getMessage('shelf.v1.Book')!

/** The Fault that reading throws, which must have one of these codes and words; undefined when it throws nothing. */
export function faultOf(read: () => unknown, ...codes: readonly string[]): Fault | undefined {
  try {
    read()
    return undefined
  } catch (thrown) {
    assert.ok(thrown instanceof Fault && codes.includes(thrown.code), String((thrown as Error).stack))
    assert.notEqual(thrown.message, '')
    return thrown
  }
}

/** Nothing that was read may have become part of every object. */
export function assertUnpolluted(): void {
  assert.equal(Reflect.ownKeys(Object.prototype).length, ownKeys)
  assert.equal(Object.getPrototypeOf(Object.prototype), null)
}
const ownKeys = Reflect.ownKeys(Object.prototype).length
