import type { Socket } from 'node:net'
import type { Attack } from '../attack.ts'

const host = 'Host: localhost\r\n'

/** Bodies that cost more than they look like. */
export const bodyAttacks: readonly Attack[] = [
  {
    name: 'one-byte-chunks',
    does: 'chunked bodies in chunks of one byte, 500 to a body, 100 bodies/s',
    unit: 'bodies',
    begin(field) {
      const text = `POST /open/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(500)}0\r\n\r\n`
      field.writeInTurn(100, 20, () => text)
    },
  },
  {
    name: 'one-byte-packets',
    does: 'chunked bodies in packets of one byte, 4,000 packets/s over 40 connections',
    unit: 'packets',
    begin(field) {
      const body = '1\r\nx\r\n'
      const at = new Map<Socket, number>()
      field.writeInTurn(4000, 40, (socket) => {
        const sent = at.get(socket)
        at.set(socket, sent === undefined ? 0 : sent + 1)
        return sent === undefined ? `POST /open/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n` : body[sent % 6]
      })
    },
  },
  {
    name: 'chunk-extensions',
    does: 'chunks with long extensions, 200 bodies/s',
    unit: 'bodies',
    begin(field) {
      const chunk = `1;${'e'.repeat(100)}\r\nx\r\n`
      field.writeInTurn(
        200,
        20,
        () => `POST /open/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(100)}0\r\n\r\n`,
      )
    },
  },
  {
    name: 'endless-bodies',
    does: 'bodies without end, 64 KB at a time, 300 pieces/s over 20 connections (1 MB is allowed)',
    unit: 'pieces',
    begin(field) {
      const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`
      const begun = new Set<Socket>()
      field.writeInTurn(300, 20, (socket) => {
        if (begun.has(socket)) return piece
        begun.add(socket)
        return `POST /open/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`
      })
    },
  },
]
