import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Lasting } from './lasting.ts'

function things(): { make: () => { name: number; close(): void }; made: number; closed: number[] } {
  const state = {
    made: 0,
    closed: [] as number[],
    make: () => {
      const name = ++state.made
      return { name, close: () => void state.closed.push(name) }
    },
  }
  return state
}

describe('lasting things', () => {
  it('are made once per key and shared by all who take them', () => {
    const lasting = new Lasting()
    const t = things()
    const [a, b] = [lasting.hold(), lasting.hold()]
    assert.equal(a.take('pool', t.make), b.take('pool', t.make))
    assert.notEqual(a.take('other', t.make), a.take('pool', t.make))
    assert.equal(t.made, 2)
    assert.equal(lasting.size, 2)
  })

  it('live until the last holder lets go, however often each took them', () => {
    const lasting = new Lasting()
    const t = things()
    const [a, b] = [lasting.hold(), lasting.hold()]
    a.take('pool', t.make)
    a.take('pool', t.make)
    b.take('pool', t.make)
    a.close()
    a.close()
    assert.deepEqual(t.closed, [])
    b.close()
    assert.deepEqual(t.closed, [1])
    assert.equal(lasting.size, 0)
  })

  it('are made anew once they were closed', () => {
    const lasting = new Lasting()
    const t = things()
    const a = lasting.hold()
    a.take('pool', t.make)
    a.close()
    assert.equal(lasting.hold().take('pool', t.make).name, 2)
  })

  it('leave nothing behind when they cannot be made', () => {
    const lasting = new Lasting()
    const hold = lasting.hold()
    assert.throws(
      () =>
        hold.take('pool', () => {
          throw new Error('no')
        }),
      /no/,
    )
    assert.equal(lasting.size, 0)
    hold.close()
  })
})
