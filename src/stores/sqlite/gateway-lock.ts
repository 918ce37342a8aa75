import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StoreUnusable } from '../../core/stores.ts'

/** Who has opened a store's folder. The lock itself is the database's, held by the operating system; this file says whose it is. */
export interface GatewayLock {
  readonly pid: number
  /** What the process is: the gateway's name, or the command that works on the store. */
  readonly name: string
  /** Where the admin API answers; undefined while, or when, there is none. */
  readonly admin: string | undefined
  /** Tells this process from a later one with the same number, where the system says when a process began. */
  readonly began: string | undefined
}

/** Another process has the store open. */
export class StoreTaken extends StoreUnusable {}

const lockPath = (folder: string): string => join(folder, 'gateway.lock')

/**
 * Who holds the store in this folder, for a command that then goes through the admin API. Undefined when nobody does, as
 * far as this file tells: a holder that died has left it behind. Who finds nobody opens the store, which is the last word.
 */
export function findGateway(folder: string): GatewayLock | undefined {
  const lock = readLock(folder)
  return lock !== undefined && isAlive(lock) ? lock : undefined
}

/** Says that this process has opened the store; replaces what a dead one left. */
export function writeLock(folder: string, name: string, admin: string | undefined): void {
  const lock: GatewayLock = { pid: process.pid, name, admin, began: beganAt(process.pid) }
  const path = lockPath(folder)
  // Renamed into place, so that nobody reads half of it.
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(lock)}\n`, { mode: 0o600 })
  renameSync(draft, path)
}

/** Takes the file away if it is this process's. */
export function removeLock(folder: string): void {
  if (readLock(folder)?.pid === process.pid) rmSync(lockPath(folder), { force: true })
}

/** Who holds the store, in words that help to end it. */
export function holderWords(folder: string): string {
  const lock = findGateway(folder)
  if (lock === undefined) return 'another process holds it'
  const admin = lock.admin === undefined ? '' : `, admin at ${lock.admin}`
  return `${JSON.stringify(lock.name)} holds it (process ${lock.pid}${admin}); stop that first, or give this one another store`
}

function readLock(folder: string): GatewayLock | undefined {
  try {
    const lock = JSON.parse(readFileSync(lockPath(folder), 'utf8')) as Partial<GatewayLock> | null
    if (typeof lock?.pid !== 'number' || typeof lock.name !== 'string') return undefined
    return { pid: lock.pid, name: lock.name, admin: lock.admin, began: lock.began }
  } catch {
    return undefined // none, or nothing that says whose it is
  }
}

function isAlive({ pid, began }: GatewayLock): boolean {
  try {
    process.kill(pid, 0)
  } catch (thrown) {
    // Somebody else's process is one all the same.
    if ((thrown as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = beganAt(pid)
  return began === undefined || now === undefined || now === began
}

/** When a process began, in the system's ticks since it booted; undefined where there is no /proc. */
function beganAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold anything; the 20th field after it is the one (proc_pid_stat(5)).
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
