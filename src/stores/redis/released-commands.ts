import { createRequire } from 'node:module'

interface Node {
  next: Node | undefined
}

/** What is known of the queue of commands inside the client's package. */
interface Queue {
  readonly head: Node | undefined
  shift(): unknown
}

let isReleasing = false

/**
 * Has the client let go of commands that were answered. Its queue leaves each of them linked to the next one; once one has
 * grown old, the collector of young objects keeps all that follow it alive, with what was asked and answered, as long as
 * commands overlap: a third of the CPU of exact decisions went there. A package that is built otherwise is left alone.
 */
export function releaseAnswered(): void {
  if (isReleasing) return
  isReleasing = true
  const queue = queuePrototype()
  if (queue === undefined) return
  const shift = Object.getOwnPropertyDescriptor(queue, 'shift')!.value as (this: Queue) => unknown
  queue.shift = function release(this: Queue): unknown {
    const { head } = this
    const value = shift.call(this)
    if (head !== undefined) head.next = undefined
    return value
  }
}

/** The prototype of the queue of what waits for its answer; undefined when there is none of the expected form. */
export function queuePrototype(): Queue | undefined {
  try {
    const redis = createRequire(createRequire(import.meta.url).resolve('redis'))
    const inner = redis.resolve('@redis/client').replace(/index\.js$/, 'lib/client/linked-list.js')
    const { SinglyLinkedList } = redis(inner) as { SinglyLinkedList?: { prototype?: Queue } }
    return typeof SinglyLinkedList?.prototype?.shift === 'function' ? SinglyLinkedList.prototype : undefined
  } catch {
    return undefined
  }
}
