import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { GatewayModel, ListenerModel } from '../config/model.ts'
import { samePlain } from '../lib/same-plain.ts'
import { EnvironmentFault } from './environment-fault.ts'
import { addressOf } from './listener.ts'

/** Whether several threads may listen on one port here. */
export function hasReusePort(): boolean {
  return (
    process.platform === 'linux' || process.platform === 'freebsd' || process.platform === 'sunos' || process.platform === 'aix'
  )
}

/**
 * Whether a port can be had, by having it for a moment; resolves with its number, chosen by the machine for 0. Asked
 * without `reusePort`, because with it a port that another process uses seems free and then shares its connections.
 * Rejects with an `EnvironmentFault` that names the port.
 */
export async function probePort(host: string, port: number, what: string): Promise<number> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, exclusive: true }, resolve)
    })
    return (server.address() as AddressInfo).port
  } catch (thrown) {
    throw new EnvironmentFault(`${what}: ${portTrouble(thrown as NodeJS.ErrnoException, host, port)}`, { cause: thrown })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

function portTrouble(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE') return `port ${port} on ${host} is taken by another process`
  if (error.code === 'EACCES') return `port ${port} may not be opened by this user (ports below 1024 need a privilege)`
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return `${host} is not an address of this machine (port ${port})`
  return `port ${port} on ${host} cannot be opened: ${error.message}`
}

/**
 * The model with every port resolved, so that all workers open the same ones. Ports that are open already are not
 * asked for again; a listener with port 0 keeps the port that it had.
 */
export async function resolvePorts(model: GatewayModel, before: GatewayModel | undefined): Promise<GatewayModel> {
  const open = new Set(before?.listeners.map(addressOf))
  const resolved = new Map<string, number>()
  for (const listener of model.listeners) resolved.set(listener.name, await resolvePort(listener, before, open))
  const listeners = model.listeners.map((listener) => ({
    ...listener,
    port: resolved.get(listener.name)!,
    redirectPort: redirectPortOf(listener, resolved),
  }))
  // The same ones as before stay the same objects: by that is told what changed.
  return { ...model, listeners: samePlain(listeners, before?.listeners) ? before!.listeners : listeners }
}

async function resolvePort(listener: ListenerModel, before: GatewayModel | undefined, open: ReadonlySet<string>): Promise<number> {
  const earlier = before?.listeners.find(({ name, host }) => name === listener.name && host === listener.host)
  if (listener.port === 0 && earlier !== undefined) return earlier.port
  if (open.has(addressOf(listener))) return listener.port
  return probePort(listener.host, listener.port, `listener "${listener.name}"`)
}

function redirectPortOf(listener: ListenerModel, resolved: ReadonlyMap<string, number>): number | undefined {
  if (listener.redirectPort === undefined || listener.redirectListener === undefined) return listener.redirectPort
  return resolved.get(listener.redirectListener) ?? listener.redirectPort
}
