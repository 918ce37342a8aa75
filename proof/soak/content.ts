import { crc32 } from 'node:zlib'

const source = Buffer.alloc(2_097_152)
// A fixed sequence without short periods, so that bytes out of place are seen.
for (let i = 0, state = 0x9e3779b9; i < source.length; i += 4) {
  state = Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0x6d2b79f5
  source.writeInt32LE(state | 0, i)
}

/** `size` bytes (at most 1 MiB) that depend on a seed. */
export function contentOf(size: number, seed: number): Buffer {
  const start = (Math.abs(seed) * 7919) % 1_048_576
  return source.subarray(start, start + size)
}

export const checksum = (bytes: Buffer | Uint8Array): number => crc32(bytes)

/** The fields of an answer or request by which its receiver can tell that it is whole. */
export function seal(bytes: Buffer): Record<string, string> {
  return { 'x-soak-length': String(bytes.length), 'x-soak-crc': String(checksum(bytes)) }
}

/** Whether bytes are those that the fields speak of. */
export function isWhole(bytes: Buffer, headers: Readonly<Record<string, unknown>>): boolean {
  return Number(headers['x-soak-length']) === bytes.length && Number(headers['x-soak-crc']) === checksum(bytes)
}

/** Sizes as they come in life: mostly small, some large. */
export function someSize(n: number): number {
  if (n % 97 === 0) return 262_144
  if (n % 13 === 0) return 40_000 + (n % 7) * 1000
  return 100 + (n % 29) * 50
}
