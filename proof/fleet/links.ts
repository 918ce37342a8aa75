import { startTcpProxy } from '../../test/support/tcp-proxy.ts'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { isPrivate, openNamespace } from './private-network.ts'

export const nodeCount = 3

/** The ways from each node to the store, of which each can be cut by itself. */
export interface Links {
  /** How a cut is made, in words. */
  readonly means: string
  /** What stands before a command that runs where the store is. */
  readonly prefix: readonly string[]
  /** Where a store listens, and where each node finds what listens there. */
  readonly host: string
  hostFor(node: number): string
  portFor(node: number): number
  cut(node: number): void
  mend(node: number): void
}

/** Cables between namespaces where the machine has them, else proxies that swallow what they get. */
export async function openLinks(t: Cleanup, port: number): Promise<Links> {
  return isPrivate ? openCables(t, port) : openProxies(t, port)
}

async function openCables(t: Cleanup, port: number): Promise<Links> {
  const store = await openNamespace(t)
  for (let node = 0; node < nodeCount; node++) store.link(`cable${node}`, `10.77.${node}.1`, `10.77.${node}.2`)
  return {
    means: 'network namespaces',
    prefix: store.prefix,
    host: '0.0.0.0',
    hostFor: (node) => `10.77.${node}.2`,
    portFor: () => port,
    cut: (node) => store.cut(`cable${node}`),
    mend: (node) => store.mend(`cable${node}`),
  }
}

async function openProxies(t: Cleanup, port: number): Promise<Links> {
  const proxies = await Promise.all(Array.from({ length: nodeCount }, () => startTcpProxy(port)))
  t.after(() => {
    for (const proxy of proxies) proxy.close()
  })
  return {
    means: 'TCP proxies (no network namespaces here)',
    prefix: [],
    host: '127.0.0.1',
    hostFor: () => '127.0.0.1',
    portFor: (node) => proxies[node].port,
    cut: (node) => void (proxies[node].isCut = true),
    mend(node) {
      proxies[node].isCut = false
      // What was swallowed is missing from these streams: no network would go on with them.
      proxies[node].leadTo(port)
    },
  }
}
