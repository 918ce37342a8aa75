import { readFileSync, readdirSync } from 'node:fs'
import { honestAddresses } from './target.ts'
import { cpuMicros, residentBytes } from '../../bench/support/processes.ts'

/** What a process and its sockets look like at one moment. */
export interface Reading {
  readonly rssMib: number
  readonly cpuMs: number
  /** Connections to the listeners that some process holds, except those of honest clients. */
  readonly strangers: number
  /** Open file descriptors besides connections of clients: sockets to services, files, pipes, events. */
  readonly handles: number
}

/** Reads /proc for the process tree of `pid` and the listeners at these ports. */
export function readProcess(pid: number, ports: readonly number[]): Reading {
  const { all, honest } = heldSockets(ports)
  return {
    rssMib: residentBytes(pid) / 1_048_576,
    cpuMs: cpuMicros(pid) / 1000,
    strangers: all - honest,
    handles: readdirSync(`/proc/${pid}/fd`).length - all,
  }
}

/** As /proc/net/tcp writes addresses: the bytes of a little-endian word. */
const honestHex = new Set(
  honestAddresses.map((address) =>
    address
      .split('.')
      .toReversed()
      .map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase())
      .join(''),
  ),
)

/** Rows of /proc/net/tcp: accepted by a process (an inode) and not listening; TIME_WAIT has none. */
function heldSockets(ports: readonly number[]): { all: number; honest: number } {
  const wanted = new Set(ports)
  let [all, honest] = [0, 0]
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/)
    if (fields.length < 10 || fields[3] === '0A' || fields[9] === '0') continue
    if (!wanted.has(Number.parseInt(fields[1].slice(9), 16))) continue
    all++
    if (honestHex.has(fields[2].slice(0, 8))) honest++
  }
  return { all, honest }
}
