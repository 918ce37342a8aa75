import type { TLSSocket } from 'node:tls'
import type { Attack } from '../attack.ts'

/** A ClientHello's first bytes: a record of 512, of which nothing more comes. */
const halfHello = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])

/** Floods of TLS handshakes, none of which resumes. */
export const handshakeAttacks: readonly Attack[] = [
  {
    name: 'handshakes-one-address',
    does: 'full TLS handshakes of one address, 150/s: more than the edge allows it',
    unit: 'handshakes',
    begin: (field) => field.every(150, () => shake(field.openTls(), () => field.count++)),
  },
  {
    name: 'handshakes',
    does: 'full TLS handshakes from 200 addresses, 150/s',
    unit: 'handshakes',
    begin: (field) => field.every(150, () => shake(field.openTls(field.nextAddress(200)), () => field.count++)),
  },
  {
    name: 'handshake-bursts',
    does: 'full TLS handshakes from 200 addresses, 60 at one moment, twice a second',
    unit: 'handshakes',
    begin: (field) =>
      field.every(2, () => {
        for (let i = 0; i < 60; i++) shake(field.openTls(field.nextAddress(200)), () => field.count++)
      }),
  },
  {
    name: 'half-handshakes',
    does: 'TLS handshakes that are begun and never go on, from 200 addresses, 1,000 at a time',
    unit: 'handshakes',
    // OpenSSL's state of 1,000 handshakes, which the allocator keeps for the next ones: three times as many rounds take no more.
    maxGrowthMib: 160,
    begin: (field) =>
      field.hold(
        1000,
        () => {
          const socket = field.open(field.nextAddress(200), field.target.tlsPort)
          socket.once('connect', () => {
            field.count++
            socket.write(halfHello)
          })
          socket.resume()
          return socket
        },
        1000,
      ),
  },
  {
    name: 'not-tls',
    does: 'garbage where a TLS handshake should be, from 200 addresses, 300/s',
    unit: 'connections',
    begin: (field) =>
      field.every(300, () => {
        const socket = field.open(field.nextAddress(200), field.target.tlsPort)
        socket.once('connect', () => {
          field.count++
          socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
        })
        socket.resume()
      }),
  },
  {
    name: 'renegotiation',
    does: 'renegotiations over TLS 1.2, asked for without end on 20 connections, 200/s',
    unit: 'renegotiations',
    begin(field) {
      const next = field.rotation(20, (ready) => {
        const socket = field.openTls(field.nextAddress(50), { maxVersion: 'TLSv1.2' })
        socket.once('secureConnect', ready)
        socket.resume()
        return socket
      })
      field.every(200, () => {
        const socket = next() as TLSSocket | undefined
        if (socket === undefined) return
        socket.renegotiate({ rejectUnauthorized: false }, (error) => {
          if (error !== null) socket.destroy()
        })
        field.count++
      })
    },
  },
]

function shake(socket: TLSSocket, done: () => void): void {
  socket.once('secureConnect', () => {
    done()
    socket.destroy()
  })
}
