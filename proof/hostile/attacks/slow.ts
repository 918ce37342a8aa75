import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Attack, Field } from '../attack.ts'

const host = 'Host: localhost\r\n'
/** Slow heads, bodies and readers. */
export const slowAttacks: readonly Attack[] = [
  bySlowhttptest('slow-heads', 'slow heads (slowhttptest -H)', ['-H', '-i', '1']),
  bySlowhttptest('slow-bodies', 'slow bodies (slowhttptest -B)', ['-B', '-i', '1', '-s', '8192', '-t', 'POST']),
  bySlowhttptest(
    'slow-readers',
    'slow readers (slowhttptest -X)',
    ['-X', '-k', '3', '-w', '10', '-y', '20', '-n', '1', '-z', '32'],
    '/open/large',
    60,
  ),
  {
    name: 'slow-heads-tls',
    does: 'slow heads over TLS, from 20 addresses: a byte every half second',
    unit: 'connections',
    begin: (field) => field.hold(300, () => dripping(field, `GET /open/x HTTP/1.1\r\n${host}`), 100),
  },
  {
    name: 'slow-bodies-tls',
    does: 'slow bodies over TLS, from 20 addresses: a byte every half second',
    unit: 'connections',
    begin: (field) =>
      field.hold(300, () => dripping(field, '', `POST /open/x HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\n`), 100),
  },
  {
    name: 'slow-readers-tls',
    does: 'readers over TLS who ask for 1 MiB and do not read, from 20 addresses',
    unit: 'connections',
    begin: (field) =>
      field.hold(
        40,
        () => {
          const socket = field.openTls(field.nextAddress(20), { ALPNProtocols: ['http/1.1'] })
          socket.once('secureConnect', () => {
            field.count++
            socket.pause()
            socket.write(`GET /open/large HTTP/1.1\r\n${host}\r\n`.repeat(3))
          })
          return socket
        },
        20,
      ),
  },
]

/** A connection that sends `atOnce`, and then `text` and what follows it byte by byte. */
function dripping(field: Field, text: string, atOnce = ''): Socket {
  const socket = field.openTls(field.nextAddress(20), { ALPNProtocols: ['http/1.1'] })
  socket.once('secureConnect', () => {
    field.count++
    if (atOnce !== '') socket.write(atOnce)
    let at = 0
    const timer = setInterval(() => socket.write(text[at++] ?? 'x'), 500)
    socket.once('close', () => clearInterval(timer))
  })
  socket.resume()
  return socket
}

function bySlowhttptest(name: string, does: string, mode: readonly string[], path = '/open/x', connections = 400): Attack {
  return {
    name,
    does,
    unit: 'connections',
    needs: 'slowhttptest',
    begin(field) {
      const url = `http://127.0.0.1:${field.target.plainPort}${path}`
      const args = [...mode, '-c', String(connections), '-r', '200', '-l', '60', '-x', '24', '-p', '3', '-u', url]
      const child = spawn('slowhttptest', args, { stdio: ['ignore', 'pipe', 'ignore'] })
      // It tells its state every few seconds only; connections are what was asked of it.
      field.count += connections
      child.stdout.resume()
      field.whenCleared(() => child.kill('SIGKILL'))
    },
  }
}
