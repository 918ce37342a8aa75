// A client that sends by the clock, whatever became of earlier requests: `open-client.ts PORT PATH RATE SECONDS`. Prints one
// line of JSON: how many were answered, failed, and their latencies in microseconds, rising.
import { connect } from 'node:net'
import type { Socket } from 'node:net'

const [port, path, rate, seconds] = process.argv.slice(2)
const request = `GET ${path} HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: open-client\r\nAccept: */*\r\n\r\n`
const total = Math.round(Number(rate) * Number(seconds))
const latencies = new Float64Array(total)
const idle: Caller[] = []
let sent = 0
let answered = 0
let failed = 0

class Caller {
  readonly #socket: Socket
  #sentAt = 0
  #text = ''

  constructor() {
    this.#socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text: string) => this.#take(text))
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => this.#lost())
  }

  send(): void {
    this.#sentAt = performance.now()
    this.#socket.write(request)
  }

  end(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#text += text
    const head = this.#text.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#text)?.[1] ?? 0)
    if (this.#text.length < head + 4 + length) return
    latencies[answered++] = (performance.now() - this.#sentAt) * 1000
    if (!this.#text.startsWith('HTTP/1.1 200')) failed++
    this.#text = ''
    this.#sentAt = 0
    idle.push(this)
  }

  #lost(): void {
    if (this.#sentAt !== 0) failed++
    const at = idle.indexOf(this)
    if (at !== -1) idle.splice(at, 1)
  }
}

const startedAt = performance.now()
const deadline = startedAt + Number(seconds) * 1000 + 5000

function tick(): void {
  const now = performance.now()
  const due = Math.min(total, Math.floor(((now - startedAt) * Number(rate)) / 1000))
  for (; sent < due; sent++) (idle.pop() ?? new Caller()).send()
  if (sent < total || (answered + failed < total && now < deadline)) {
    setTimeout(tick, 1)
    return
  }
  const rising = [...latencies.subarray(0, answered)].sort((a, b) => a - b).map(Math.round)
  process.stdout.write(`${JSON.stringify({ answered, failed: failed + Math.max(0, total - answered - failed), rising })}\n`, () =>
    process.exit(0),
  )
}

tick()
