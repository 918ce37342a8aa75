import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../test/support/velum-process.ts'

const flag = 'VELUM_PROOF_NETWORK'

/** Whether this process runs in a network of its own, which `inPrivateNetwork` has made. */
export const isPrivate: boolean = process.env[flag] === 'private'

/**
 * Runs the same command again in a network namespace of its own, where addresses and ports are nobody else's and links can
 * be cut, and gives its exit code; undefined where the machine allows no namespaces.
 */
export async function inPrivateNetwork(): Promise<number | undefined> {
  for (const user of [['-r'], []]) {
    // In a namespace of processes too, so that nothing outlives this one, however it ends.
    const here = [...user, '-n', '-p', '-f', '--mount-proc', '--kill-child', 'sh', '-c']
    const probe = 'ip link set lo up && unshare -n true && ip link add name left type veth peer name right'
    if (spawnSync('unshare', [...here, probe]).status !== 0) continue
    const args = [...here, 'ip link set lo up; exec "$@"', 'sh', process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    const child = spawn('unshare', args, { stdio: 'inherit', env: { ...process.env, [flag]: 'private' } })
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? 1
  }
  return undefined
}

/** A second namespace beside this one, for the store. */
export interface OtherNamespace {
  /** What stands before a command that runs there. */
  readonly prefix: readonly string[]
  /** Makes a link to it: ours has the first address, the other end the second. */
  link(name: string, ours: string, theirs: string): void
  /** Takes the link's end there away: whatever is sent into it is lost in silence. */
  cut(name: string): void
  mend(name: string): void
}

export async function openNamespace(t: Cleanup): Promise<OtherNamespace> {
  const holder = spawn('unshare', ['-n', 'sleep', 'infinity'], { stdio: 'ignore' })
  t.after(() => void holder.kill('SIGKILL'))
  const own = readlinkSync('/proc/self/ns/net')
  while (namespaceOf(holder.pid!) === own) await sleep(10)
  const prefix = ['nsenter', '-t', String(holder.pid), '-n', '--']
  const there = (...command: string[]): void => run(prefix[0], ...prefix.slice(1), ...command)
  there('ip', 'link', 'set', 'lo', 'up')
  return {
    prefix,
    link(name, ours, theirs) {
      run('ip', 'link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', `${name}-far`, 'netns', String(holder.pid))
      // A namespace goes some time after its last process, and the next scene wants these names at once.
      t.after(() => void failureOf('ip', 'link', 'delete', name))
      run('ip', 'addr', 'add', `${ours}/24`, 'dev', name)
      run('ip', 'link', 'set', name, 'up')
      there('ip', 'addr', 'add', `${theirs}/24`, 'dev', `${name}-far`)
      there('ip', 'link', 'set', `${name}-far`, 'up')
    },
    // Our end keeps its address and route: what leaves by it gets nowhere.
    cut: (name) => there('ip', 'link', 'set', `${name}-far`, 'down'),
    mend: (name) => there('ip', 'link', 'set', `${name}-far`, 'up'),
  }
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return ''
  }
}

function run(command: string, ...args: string[]): void {
  const failure = failureOf(command, ...args)
  if (failure !== undefined) throw new Error(`${command} ${args.join(' ')} failed: ${failure}`)
}

/** What the command said, where it failed. */
function failureOf(command: string, ...args: string[]): string | undefined {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? undefined : stderr
}
