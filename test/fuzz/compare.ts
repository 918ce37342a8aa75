import { METHODS } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { readRequests } from '../support/http1-reader.ts'
import type { ReadRequest, Reading } from '../support/http1-reader.ts'
import type { Peer, PeerReading, PeerRequest } from './peers.ts'

/** Sent behind every message: who reads it where shows who has lost the thread. */
export const sentinel = 'GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** A message that would be forwarded although a peer reads it in another way, or every peer refuses it. */
export interface Difference {
  readonly message: string
  readonly peer: string
  readonly why: string
  readonly ours: Reading
  readonly theirs: PeerReading
}

const patienceMs = [200, 1000, 4000]

/** Reads the message with our wire and with each peer. Refusing is always right; reading differently never is. */
export async function compare(
  message: string,
  peers: readonly Peer[],
): Promise<{ isForwarded: boolean; differences: Difference[] }> {
  const bytes = Buffer.from(message + sentinel, 'latin1')
  const ours = readRequests(bytes)
  const differences: Difference[] = []
  const isForwarded = ours.requests.length > 0 || ours.open !== undefined
  if (!isForwarded) return { isForwarded, differences }
  /** How many requests each peer accepted before it refused. */
  const accepted = new Set<number>()
  let last: Difference | undefined
  for (const peer of peers) {
    let theirs = await peer.read(bytes, 0)
    let why = difference(ours, theirs) ?? shortfall(ours, theirs)
    // What our own end of the connection may have caused, or a busy machine, is asked again with more patience.
    for (const quietMs of patienceMs) {
      if (why === undefined && theirs.requests.length >= ours.requests.length) break
      theirs = await peer.read(bytes, quietMs)
      why = difference(ours, theirs) ?? shortfall(ours, theirs)
      if (why === undefined) break
    }
    last = { message, peer: peer.name, why: why ?? 'no other implementation accepts it', ours, theirs }
    if (why !== undefined) differences.push(last)
    accepted.add(theirs.requests.length)
  }
  // A strict subset is accepted by somebody else too; what all of them refuse is suspicious (one that stopped earlier
  // has not judged it), but for methods, of which every peer has its own list.
  const [place] = accepted
  const isLax =
    accepted.size === 1 &&
    place < ours.requests.length &&
    ours.requests.slice(0, place + 1).every(({ method }) => METHODS.includes(method))
  if (isLax && differences.length === 0) differences.push(last!)
  return { isForwarded, differences }
}

function difference(ours: Reading, theirs: PeerReading): string | undefined {
  for (const [i, request] of ours.requests.entries()) {
    const other = theirs.requests[i]
    if (other === undefined) break
    const why = unlike(request, other)
    if (why !== undefined) return `request ${i + 1}: ${why}`
  }
  if (ours.open === undefined) return undefined
  // We wait for more of a body, whose head may be on its way already.
  const other = theirs.requests[ours.requests.length]
  return other === undefined ? undefined : 'a body that we wait for is complete to the other'
}

/** The peer has read fewer requests: fine when it refused, not when it takes one for a part of something else. */
function shortfall(ours: Reading, theirs: PeerReading): string | undefined {
  if (theirs.requests.length >= ours.requests.length || theirs.hasRefused) return undefined
  return `request ${theirs.requests.length + 1} is none, or not complete, to the other`
}

function unlike(ours: ReadRequest, theirs: PeerRequest): string | undefined {
  if (ours.method !== theirs.method) return `method ${ours.method} is ${theirs.method}`
  if (ours.target !== theirs.target) return `target ${ours.target} is ${theirs.target}`
  if (ours.authority !== theirs.host.toLowerCase()) return `authority ${ours.authority} is ${theirs.host}`
  if (ours.content !== theirs.content) return `content ${JSON.stringify(ours.content)} is ${JSON.stringify(theirs.content)}`
  if (theirs.fields !== undefined && !isDeepStrictEqual(ours.fields, theirs.fields)) return 'the header lines are others'
  return undefined
}
