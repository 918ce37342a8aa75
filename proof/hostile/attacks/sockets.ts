import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Attack, Field } from '../attack.ts'

const passed = '/orders/echo'
const bridged = '/billing.v1.Billing/Reconcile'
const json = 'velum.grpc.json.v1'

/** A masked frame of a client (RFC 6455 §5.2); a mask of zeros leaves what it masks as it is. */
function clientFrame(opcode: number, content: string): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
}

const message = clientFrame(1, '{"paymentId":"p","customerId":"acme"}')
const ping = clientFrame(9, 'are you there')

/** Floods of WebSockets. */
export const socketAttacks: readonly Attack[] = [
  opens('websocket-opens', 'WebSockets opened and dropped, 150/s, passed through', passed),
  opens('websocket-opens-bridged', 'WebSockets opened and dropped, 150/s, bridged to gRPC', bridged),
  frames('websocket-messages', 'messages over 20 WebSockets, passed through', passed, message),
  frames('websocket-messages-bridged', 'messages over 20 WebSockets, bridged to gRPC', bridged, message),
  frames('websocket-pings', 'pings over 20 WebSockets, passed through', passed, ping),
  frames('websocket-pings-bridged', 'pings over 20 WebSockets, bridged to gRPC', bridged, ping),
]

function opens(name: string, does: string, path: string): Attack {
  return {
    name,
    does,
    unit: 'opens',
    begin: (field) =>
      field.every(150, () => {
        const socket: Socket = openSocket(field, path, () => {
          field.count++
          socket.destroy()
        })
      }),
  }
}

function frames(name: string, does: string, path: string, frame: Buffer): Attack {
  return {
    name,
    does: `${does}, 2,000/s`,
    unit: 'frames',
    begin(field) {
      const next = field.rotation(20, (ready) => openSocket(field, path, ready))
      field.every(2000, () => {
        const socket = next()
        if (socket === undefined) return
        socket.write(frame)
        field.count++
      })
    },
  }
}

function openSocket(field: Field, path: string, opened: () => void): Socket {
  const socket = field.open(field.nextAddress(50))
  const key = randomBytes(16).toString('base64')
  const protocol = path === bridged ? `Sec-WebSocket-Protocol: ${json}\r\n` : ''
  socket.once('connect', () =>
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${protocol}\r\n`,
    ),
  )
  socket.once('data', (bytes: Buffer) => {
    if (bytes.toString('latin1', 9, 12) === '101') opened()
    // Refused: with its connection goes the attempt.
    else socket.destroy()
  })
  return socket
}
