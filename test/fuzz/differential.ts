import type { Promised } from '../../proof/support/promises.ts'
import type { Difference } from './compare.ts'
import { compare } from './compare.ts'
import { Dice, makeMessage } from './messages.ts'
import type { Peer } from './peers.ts'
import { createNginxPeer, createNodePeer, hasNginx } from './peers.ts'

const atOnce = 16
const maxShown = 10

/** Reads requests of HTTP/1.1 with our wire, node:http and nginx for so long; prints what is read differently. */
export async function fuzzRequests(seed: number, forMs: number): Promise<Promised> {
  const peers: Peer[] = [await createNodePeer()]
  if (hasNginx()) peers.push(await createNginxPeer())
  else console.log('nginx is not on this machine: it is left out')
  const dice = new Dice(seed)
  const until = performance.now() + forMs
  const found: Difference[] = []
  let messages = 0
  let forwarded = 0
  const work = async (): Promise<void> => {
    while (performance.now() < until && found.length < maxShown) {
      messages++
      const { isForwarded, differences } = await compare(makeMessage(dice), peers)
      if (isForwarded) forwarded++
      found.push(...differences)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  for (const peer of peers) await peer.close()
  for (const { peer, why, message, ours, theirs } of found) {
    console.log(`\n${peer} reads it differently: ${why}\n  message: ${JSON.stringify(message)}`)
    console.log(`  ours:   ${JSON.stringify(ours)}\n  theirs: ${JSON.stringify(theirs)}`)
  }
  return {
    done: `HTTP/1.1 requests: ${messages} messages, ${forwarded} of them read by all`,
    promised: `nothing is forwarded that ${peers.map(({ name }) => name).join(' or ')} reads differently`,
    seen: found.length === 0 ? 'no difference' : `${found.length} differences`,
    holds: found.length === 0 && forwarded > 0,
  }
}
