import { table } from './support/table.ts'

/** What was measured of one node, for reckoning with many. */
export interface Measured {
  /** CPU of a request by TLS with a token, a tenant's bucket, header rules, log and metrics; µs. */
  readonly requestMicros: number
  /** Resident memory of an idle kept connection. */
  readonly connectionBytes: number
  readonly limiterKeyBytes: number
  readonly sessionBytes: number
  /** CPU of Redis per decision: of an exact limit with many keys, and of a leased one; µs. */
  readonly exactMicros: number
  readonly leasedMicros: number
  /** Resident memory of a gateway that was loaded. */
  readonly processBytes: number
}

const workers = 7
/** Of a core or a Redis: what is left is for peaks, a node that is being replaced, and neighbours. */
const busy = 0.6
const connectionsPerNode = 50_000
const mebibyte = 1_048_576

/** Capacity from one node to a thousand, by arithmetic that can be checked, in Markdown. */
export function capacityPlan(measured: Measured): string {
  const perNode = (workers * busy * 1e6) / measured.requestMicros
  const memory = measured.processBytes + connectionsPerNode * measured.connectionBytes
  const rows = [1, 10, 100, 1000].map((nodes) => {
    const rate = nodes * perNode
    return [
      nodes.toLocaleString('en'),
      whole(rate),
      (nodes * connectionsPerNode).toLocaleString('en'),
      mastersFor(rate, measured.exactMicros),
      mastersFor(rate, measured.leasedMicros),
    ]
  })
  return `## From one node to a thousand, on paper

Reckoned from what this run measured; a node here is eight cores, seven of them workers and one for main and the kernel,
each worker busy to ${busy * 100} %.

- Requests of a node: ${workers} workers × ${busy} × 1,000,000 µs ÷ ${measured.requestMicros.toFixed(1)} µs (TLS, token, tenant's bucket,
  header rules, log and metrics, 130 bytes) = ${whole(perNode)} a second. Bodies cost by their size: see the plot above.
- Memory of a node: ${(measured.processBytes / mebibyte).toFixed(0)} MiB for a process under load + ${connectionsPerNode.toLocaleString('en')} connections × ${(measured.connectionBytes / 1024).toFixed(1)} KiB
  = ${(memory / mebibyte).toFixed(0)} MiB, without TLS state; limiter keys at ${measured.limiterKeyBytes.toFixed(0)} bytes (a million: ${whole((1e6 * measured.limiterKeyBytes) / mebibyte)} MiB) and
  sessions kept near (at most 50,000 a worker) come on top.
- Sessions in the store: ${measured.sessionBytes.toFixed(0)} bytes each in this run's heap; a million: ${whole((1e6 * measured.sessionBytes) / mebibyte)} MiB.
- Redis, if every request has one exact limit: ${measured.exactMicros.toFixed(2)} µs of it per decision, so a master at ${busy * 100} % decides
  ${whole((busy * 1e6) / measured.exactMicros)} a second; leased (5 %): ${measured.leasedMicros.toFixed(3)} µs, ${whole((busy * 1e6) / measured.leasedMicros)} a second. Keys spread over masters by tenant.
- Revocations reach every node: one message for each node and revocation. At 10 logouts a second and 1,000 nodes those are
  10,000 messages a second for Redis to send, and 10 a second for each node to take.

${table(['nodes', 'requests/s', 'connections', 'masters, exact', 'masters, leased'], rows)
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}

What this does not say: a store shared by a thousand nodes has connections to hold as well (one per node and master), and
one tenant's exact limit lives on one master whatever the number of masters: a single tenant beyond
${whole((busy * 1e6) / measured.exactMicros)} exact decisions a second needs a tolerance.`
}

function mastersFor(rate: number, micros: number): string {
  return Math.max(1, Math.ceil((rate * micros) / (busy * 1e6))).toLocaleString('en')
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}
