import { dirname, resolve } from 'node:path'
import type { ConfigPath } from './finding.ts'
import { membersOf } from './members-of.ts'

/** A gateway of a file as it was written. */
export interface WrittenGateway {
  readonly index: number
  readonly name: string
  readonly input: unknown
}

/** Something that two gateways of a file claim, though only one can have it: who stands first keeps it. */
export interface Clash {
  readonly first: WrittenGateway
  readonly second: WrittenGateway
  /** Where the second claims it, inside of that gateway. */
  readonly path: ConfigPath
  readonly message: string
  readonly remedy: string
}

/** One claim: what is claimed, the place of it, and the words for it. */
interface Claim {
  readonly key: string
  readonly path: ConfigPath
  readonly what: string
  readonly remedy: string
}

/**
 * What gateways of one file claim twice: names, hosts, all hosts of one port, folders. By what is written, as far as it has its
 * form: a fault in one gateway, which its own check tells, hides nothing of the others.
 */
export function findClashes(gateways: readonly WrittenGateway[], file: string): Clash[] {
  const owners = new Map<string, { gateway: WrittenGateway; path: ConfigPath }>()
  const clashes: Clash[] = []
  for (const gateway of gateways) {
    for (const { key, path, what, remedy } of claimsOf(gateway, file)) {
      const owner = owners.get(key)
      if (owner === undefined) owners.set(key, { gateway, path })
      else if (owner.gateway !== gateway)
        clashes.push({
          first: owner.gateway,
          second: gateway,
          path,
          message: `${what} by gateway ${owner.gateway.name} already`,
          remedy,
        })
    }
  }
  return clashes
}

function claimsOf({ name, input }: WrittenGateway, file: string): Claim[] {
  const { listeners, routes, store } = membersOf(input)
  const claims: Claim[] = [
    { key: `name ${name}`, path: ['name'], what: `the name "${name}" is taken`, remedy: 'give each gateway its own name' },
  ]
  let takesAnyHost = false
  for (const [i, route] of (Array.isArray(routes) ? routes : []).entries()) {
    const { hosts } = membersOf(membersOf(route)['match'])
    if (!Array.isArray(hosts)) takesAnyHost = true
    for (const [k, host] of (Array.isArray(hosts) ? hosts : []).entries()) {
      if (typeof host !== 'string') continue
      claims.push({
        key: `host ${host.toLowerCase()}`,
        path: ['routes', i, 'match', 'hosts', k],
        what: `the host ${host} is claimed`,
        remedy: 'leave the host to one of the two',
      })
    }
  }
  for (const [listener, written] of Object.entries(membersOf(listeners))) {
    const { port, redirect } = membersOf(written)
    if (!takesAnyHost || typeof port !== 'number' || port === 0 || redirect !== undefined) continue
    claims.push({
      key: `port ${port}`,
      path: ['listeners', listener, 'port'],
      what: `every host on port ${port} (by routes without match.hosts) is claimed`,
      remedy: 'say which hosts the routes of each are for (match.hosts), or use another port',
    })
  }
  const { kind, path } = membersOf(store)
  if (kind === 'embedded' && typeof path === 'string')
    claims.push({
      key: `folder ${resolve(dirname(file), path)}`,
      path: ['store', 'path'],
      what: `the folder ${path} is used`,
      remedy: 'give each gateway its own folder, or leave it out: it is .velum/NAME then',
    })
  return claims
}
