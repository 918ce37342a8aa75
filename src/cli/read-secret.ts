import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Io } from './command.ts'
import { UsageError } from './command.ts'

const maxBytes = 64 * 1024

/** All of stdin without its last line break: a secret never stands in the arguments, where everybody on the machine sees it. */
export async function readStdin(io: Io): Promise<string> {
  const stdin = io.stdin ?? process.stdin
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Buffer)
    size += bytes.length
    if (size > maxBytes) throw new Error(`stdin holds more than ${maxBytes} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}

/** Whether somebody can be asked there. */
export function isTerminal(stdin: NodeJS.ReadableStream): boolean {
  return (stdin as Partial<NodeJS.ReadStream>).isTTY === true
}

/** Asks for a secret in a terminal, without echo. Rejects with a `UsageError` where there is none. */
export async function promptSecret(io: Io, question: string, otherwise: string): Promise<string> {
  const stdin = io.stdin ?? process.stdin
  if (!isTerminal(stdin)) throw new UsageError(otherwise)
  io.err(question)
  // What would echo the line goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => reject(new Error('interrupted')))
      lines.once('close', () => reject(new Error('nothing was typed')))
    })
  } finally {
    lines.close()
    io.err('\n')
  }
}
