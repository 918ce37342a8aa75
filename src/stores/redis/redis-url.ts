import { StoreUnusable } from '../../core/stores.ts'

/** Where a Redis (or a cluster, by some of its nodes) is, and as whom to speak to it. */
export interface RedisTarget {
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly isTls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
}

const form = /^(rediss?):\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/(\d{1,5})?)?$/

/**
 * Parses `redis[s]://[user[:password]@]host[:port][,host[:port]…][/database]`; several hosts are nodes of one cluster.
 * Throws `StoreUnusable`, without what the URL holds.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = form.exec(url)
  if (match === null) throw new StoreUnusable('store.url is no address of a Redis')
  const [, scheme, credentials, hosts, database] = match
  const [user, ...rest] = (credentials ?? '').split(':')
  return {
    nodes: hosts.split(',').map(parseNode),
    isTls: scheme === 'rediss',
    username: user === '' ? undefined : decode(user),
    password: rest.length === 0 ? undefined : decode(rest.join(':')),
    database: Number(database ?? 0),
  }
}

/** The nodes in words, without credentials. */
export function targetWords({ nodes }: RedisTarget): string {
  return nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', ')
}

function parseNode(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:\s]+))(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[3] ?? 6379)
  if (match === null || port < 1 || port > 65_535) throw new StoreUnusable('a host or port in store.url is malformed')
  return { host: match[1] ?? match[2], port }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (thrown) {
    throw new StoreUnusable('the user or password in store.url is not percent-encoded correctly', { cause: thrown })
  }
}
