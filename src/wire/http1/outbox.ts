import type { Socket } from 'node:net'

/*
 * What many connections have to say is written together: messages are held back until the event loop has been through
 * the bytes that had come, at most `maxHeld` of them, and then written one after another. The processor stays longer in
 * one piece of code, and a peer that was woken by the first message finds the next ones there instead of being woken
 * for each (measured under load: a tenth less CPU for a whole request, a fifth on a busy machine). A lone message waits for
 * nobody.
 */
const maxHeld = 32
let held: Outbox[] = []
let spare: Outbox[] = []
let isTurnAwaited = false

function flushAll(): void {
  const outboxes = held
  // What is posted meanwhile goes to the other list: a write may call back.
  held = spare
  spare = outboxes
  for (const outbox of outboxes) outbox.flush()
  outboxes.length = 0
}

function turnEnded(): void {
  isTurnAwaited = false
  flushAll()
}

/** Whole messages of one connection on their way to its socket, in the order in which they were posted. */
export class Outbox {
  readonly #socket: Socket
  #text = ''

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Nothing is held back. */
  get isEmpty(): boolean {
    return this.#text === ''
  }

  /** Bytes that the kernel has not taken yet, here and in the socket. */
  get unsentBytes(): number {
    return this.#text.length + this.#socket.writableLength
  }

  /** Sends `text` (latin1) before this turn of the event loop is over. */
  post(text: string): void {
    const { length } = this.#text
    this.#text += text
    if (length > 0) return
    if (!isTurnAwaited) {
      isTurnAwaited = true
      setImmediate(turnEnded)
    }
    if (held.push(this) >= maxHeld) flushAll()
  }

  /** Gives the socket what is held back. Whoever writes to the socket itself must call this before. */
  flush(): void {
    const text = this.#text
    if (text === '') return
    this.#text = ''
    if (this.#socket.writable) this.#socket.write(text, 'latin1')
  }
}
