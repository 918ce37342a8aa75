/** Services that have a column of their own; more share columns, and are only slower to believe what is slow. */
const columns = 512

/** The latencies at rest that one worker found, and those of the others. */
export interface Rests {
  /** In ms. */
  tell(restMs: number): void
  /** The largest that another worker found, in ms; 0 while none has. */
  readonly largestOfOthers: number
}

/** For a gate that has no neighbours. */
export const noOtherRests: Rests = { tell() {}, largestOfOthers: 0 }

/** Makes the memory in which workers tell each other; for main, once, before the first worker starts. */
export function allocateRests(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * columns * Float64Array.BYTES_PER_ELEMENT)
}

/** What this worker, and the others, found of a service. Each writes its own row only. */
export function restsOf(memory: SharedArrayBuffer, worker: number, service: string): Rests {
  const rows = new Float64Array(memory)
  const column = columnOf(service)
  const own = worker * columns + column
  return {
    tell(restMs) {
      rows[own] = restMs
    },
    get largestOfOthers() {
      let largest = 0
      for (let at = column; at < rows.length; at += columns) if (at !== own) largest = Math.max(largest, rows[at])
      return largest
    },
  }
}

/** What a worker found goes with it. */
export function releaseRests(memory: SharedArrayBuffer, worker: number): void {
  new Float64Array(memory, worker * columns * Float64Array.BYTES_PER_ELEMENT, columns).fill(0)
}

/** FNV-1a over UTF-16 code units. */
function columnOf(service: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < service.length; i++) hash = Math.imul(hash ^ service.charCodeAt(i), 0x01000193)
  return ((hash >>> 16) ^ hash) & (columns - 1)
}
