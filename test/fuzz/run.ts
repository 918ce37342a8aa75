import { parseArgs } from 'node:util'
import type { Difference } from './compare.ts'
import { compare } from './compare.ts'
import { Dice, makeMessage } from './messages.ts'
import type { Peer } from './peers.ts'
import { createNginxPeer, createNodePeer, hasNginx } from './peers.ts'

// Differential fuzzing of the request reader: `npm run fuzz -- --seconds 600 [--seed N]`. Exit 1 on a difference.
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } })
const seconds = Number(values.seconds)
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
if (!Number.isFinite(seconds) || !Number.isInteger(seed)) {
  console.error('usage: npm run fuzz -- --seconds N [--seed N]')
  process.exit(2)
}

const atOnce = 16
const maxShown = 10
const peers: Peer[] = [await createNodePeer()]
if (hasNginx()) peers.push(await createNginxPeer())
else console.log('nginx is not on this machine: it is left out')
console.log(`seed ${seed}, ${seconds} s, against ${peers.map(({ name }) => name).join(' and ')}`)

const dice = new Dice(seed)
const until = performance.now() + seconds * 1000
const found: Difference[] = []
let messages = 0
let forwarded = 0

async function work(): Promise<void> {
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
console.log(
  `\n${messages} messages, ${messages - forwarded} refused outright, ${forwarded} read and compared, ${found.length} differences`,
)
process.exitCode = found.length === 0 ? 0 : 1
