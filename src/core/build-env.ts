import type { Clock } from './clock.ts'
import type { Hold } from './lasting.ts'
import type { Link } from './link.ts'
import type { Log } from './log.ts'
import type { Meter } from './meter.ts'
import type { Stores } from './stores.ts'
import type { Sweeper } from './sweeper.ts'

/** Memory that all threads of a node share; made by main before the first worker starts. */
export interface SharedMemory {
  /** The limit table (`limits/`). */
  readonly limits: SharedArrayBuffer
  /** The same for what is counted of connections, apart so that a flood of them crowds nobody out; absent where no port is opened. */
  readonly edges?: SharedArrayBuffer | undefined
  /** What the shared cache holds (`cache/`); absent where no port is opened. */
  readonly cache?: SharedArrayBuffer | undefined
  /** What workers found of services with adaptive concurrency (`limits/rest-board`); absent where no port is opened. */
  readonly rests?: SharedArrayBuffer | undefined
  /** One row of numbers per worker (`gateway/meter`). */
  readonly metrics: SharedArrayBuffer
}

/** What the parts of a Generation are built with. Nothing on the request path reaches for a global. */
export interface BuildEnv {
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly log: Log
  readonly meter: Meter
  /** This Generation's hold on what outlives it. */
  readonly hold: Hold
  readonly link: Link
  /** What outlives a request; absent where a Generation is only built to be checked. */
  readonly stores?: Stores | undefined
  readonly shared: SharedMemory
  /** How issuers are asked about their tokens; absent: over the network. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** This worker's number, from 0, and how many there are. */
  readonly worker: number
  readonly workers: number
}
