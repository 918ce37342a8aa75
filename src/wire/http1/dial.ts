import { connect as connectTcp, isIP } from 'node:net'
import type { OnReadOpts, Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import type { ClientWireOptions } from '../client-wire.ts'

/** The last TLS session of a pool, so that its next handshakes are short. */
export interface TlsSession {
  ticket: Buffer | undefined
}

/**
 * Every socket of a thread reads into this one buffer: a read's bytes are used or copied before the next read can
 * happen. Saves an allocation of 64 KiB and its trimming for each read.
 */
const readBuffer = Buffer.allocUnsafeSlow(65536)

/** Opens a socket whose bytes go to `onRead`, which returns false to stop reading until the socket is resumed. */
export function dial(options: ClientWireOptions, session: TlsSession, onRead: (size: number, bytes: Buffer) => boolean): Socket {
  const { host, port, tls } = options
  const onread: OnReadOpts = { buffer: readBuffer, callback: onRead }
  // Half-open: the end of one direction of a tunnel must not close the other, and an early end of a request is ours to judge.
  if (tls === undefined) return connectTcp({ host, port, onread, allowHalfOpen: true, noDelay: true })
  const tlsOptions: ConnectionOptions & { onread: OnReadOpts; allowHalfOpen: boolean } = {
    host,
    port,
    onread,
    allowHalfOpen: true,
    // A name is sent for SNI; an address may not be (RFC 6066 §3) and is checked against the certificate all the same.
    servername: isIP(tls.serverName) === 0 ? tls.serverName : '',
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(tls.serverName, certificate),
    minVersion: 'TLSv1.2',
    ...(tls.context === undefined ? {} : { secureContext: tls.context }),
    ...(session.ticket === undefined ? {} : { session: session.ticket }),
  }
  const socket = connectTls(tlsOptions)
  socket.on('session', (ticket: Buffer) => {
    session.ticket = ticket
  })
  socket.once('secureConnect', () => void socket.setNoDelay(true))
  return socket
}
