import type { Attack } from '../attack.ts'

/** Floods of connections. */
export const connectionAttacks: readonly Attack[] = [
  {
    name: 'idle-connections',
    does: '3,000 idle connections from 300 addresses',
    unit: 'connections',
    maxGrowthMib: 64,
    begin: (field) =>
      field.hold(
        3000,
        () => {
          const socket = field.open(field.nextAddress(300))
          socket.once('connect', () => field.count++)
          socket.resume()
          return socket
        },
        3000,
      ),
  },
  {
    name: 'connect-and-close',
    does: 'connections that are closed at once, from 200 addresses, 1,000/s',
    unit: 'connections',
    begin: (field) =>
      field.every(1000, () => {
        const socket = field.open(field.nextAddress(200))
        socket.once('connect', () => {
          field.count++
          socket.destroy()
        })
      }),
  },
  {
    name: 'one-address',
    does: 'connections from one address, 1,000/s: more than the edge allows it',
    unit: 'connections',
    begin: (field) =>
      field.every(1000, () => {
        const socket = field.open()
        socket.once('connect', () => field.count++)
        socket.resume()
      }),
  },
  {
    name: 'request-and-reset',
    does: 'requests whose connections are reset at once, from 200 addresses, 150/s',
    unit: 'requests',
    begin: (field) =>
      field.every(150, () => {
        const socket = field.open(field.nextAddress(200))
        socket.once('connect', () => {
          field.count++
          socket.write('GET /open/large HTTP/1.1\r\nHost: localhost\r\n\r\n', () => void socket.resetAndDestroy())
        })
      }),
  },
]
