import { createSocket } from 'node:dgram'
import type { RemoteInfo } from 'node:dgram'
import { once } from 'node:events'

/** What a DNS server of tests says of a name: addresses, SRV records, nothing, or a failure. */
export interface Zone {
  readonly a?: readonly string[]
  readonly srv?: readonly { readonly priority: number; readonly weight: number; readonly port: number; readonly host: string }[]
}
export type Saying = Zone | 'no-such-name' | 'fails' | 'silent'

/** A small DNS server over UDP on loopback, which says what it is told to. Counts its questions. */
export interface DnsServer {
  /** `127.0.0.1:PORT`, as configurations want it. */
  readonly address: string
  readonly questions: { readonly name: string; readonly type: number }[]
  /** From now on `name` (lower case) leads there; names that were never set do not exist. */
  set(name: string, saying: Saying): void
  /** Resolves when so many questions more were asked for the name. */
  asked(name: string, times?: number): Promise<void>
  close(): void
}

const typeA = 1
const typeSrv = 33
const ttlSeconds = 0

/** Starts the server; the caller closes it. */
export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const sayings = new Map<string, Saying>()
  const questions: { name: string; type: number }[] = []
  const waiting = new Set<() => void>()
  socket.on('message', (message: Buffer, { address, port }: RemoteInfo) => {
    const { name, type, end } = questionOf(message)
    questions.push({ name, type })
    const saying = sayings.get(name) ?? 'no-such-name'
    if (saying !== 'silent') socket.send(replyTo(message.subarray(0, end), type, saying), port, address)
    for (const look of waiting) look()
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    set: (name, saying) => void sayings.set(name, saying),
    asked: (name, times = 1) => {
      const count = (): number => questions.filter((question) => question.name === name && question.type !== 28).length
      const wanted = count() + times
      return new Promise((resolve) => {
        const look = (): void => {
          if (count() < wanted) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
      })
    },
    close: () => void socket.close(),
  }
}

function questionOf(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  while (message[at] !== 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]))
    at += 1 + message[at]
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 }
}

function replyTo(question: Buffer, type: number, saying: Exclude<Saying, 'silent'>): Buffer {
  const answers = typeof saying === 'string' ? [] : recordsOf(type, saying)
  const code = saying === 'no-such-name' ? 3 : saying === 'fails' ? 2 : 0
  const reply = Buffer.from(question)
  reply.writeUInt16BE(0x8180 | code, 2)
  reply.writeUInt16BE(answers.length, 6)
  reply.writeUInt16BE(0, 8)
  reply.writeUInt16BE(0, 10)
  return Buffer.concat([reply, ...answers])
}

function recordsOf(type: number, { a = [], srv = [] }: Zone): Buffer[] {
  if (type === typeA) return a.map((address) => record(type, Buffer.from(address.split('.').map(Number))))
  if (type !== typeSrv) return []
  return srv.map(({ priority, weight, port, host }) => {
    const numbers = Buffer.alloc(6)
    numbers.writeUInt16BE(priority, 0)
    numbers.writeUInt16BE(weight, 2)
    numbers.writeUInt16BE(port, 4)
    const labels = host.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
    return record(type, Buffer.concat([numbers, ...labels, Buffer.from([0])]))
  })
}

/** A resource record of the name that was asked for (a pointer to byte 12). */
function record(type: number, content: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttlSeconds, 6)
  head.writeUInt16BE(content.length, 10)
  return Buffer.concat([head, content])
}
