import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A process of the proof that is told what to do and answers. */
export class Child<Order extends object, Word extends { readonly kind: string }> {
  readonly #process: ChildProcess
  readonly #words: Word[] = []
  #wake: (() => void) | undefined
  #hasEnded = false

  /** Starts the module with these cores and this niceness. */
  constructor(module: URL, cores: string, niceness: number) {
    const command = ['-c', cores, 'nice', '-n', String(niceness), process.execPath, '--no-warnings', fileURLToPath(module)]
    this.#process = spawn('taskset', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#process.on('message', (word) => {
      this.#words.push(word as Word)
      this.#wake?.()
    })
    this.#process.once('exit', () => {
      this.#hasEnded = true
      this.#wake?.()
    })
  }

  tell(order: Order): void {
    if (this.#process.connected) this.#process.send(order)
  }

  /** The next word, which has to be of this kind. */
  async hear<K extends Word['kind']>(kind: K): Promise<Extract<Word, { readonly kind: K }>> {
    while (this.#words.length === 0) {
      if (this.#hasEnded) throw new Error(`a process of the proof ended before it said "${kind}"`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const word = this.#words.shift()!
    if (word.kind !== kind) throw new Error(`"${kind}" was expected, and it said ${JSON.stringify(word)}`)
    return word as Extract<Word, { readonly kind: K }>
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return
    const over = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()))
    this.#process.kill('SIGKILL')
    await over
  }
}
