const slabBytes = 65_536
/** Kept for later per worker; more go to the collector. */
const maxSpare = 64
const spare: Buffer[] = []
/** Slabs that are somebody's. A piece given back twice must not be lent twice. */
const lent = new WeakSet<ArrayBufferLike>()

/** Pieces below this size are not worth a slab. */
export const smallestSlabPiece = 32_768

/**
 * Memory for a piece of a body. Large pieces lie in slabs of 64 KiB that are used again when they are given back: V8
 * lets some 64 MiB of dead buffers gather before it looks for them, which a long transfer would always reach.
 */
export function takeMemory(bytes: number): Buffer {
  if (bytes < smallestSlabPiece || bytes > slabBytes) return Buffer.allocUnsafe(bytes)
  const slab = spare.pop() ?? Buffer.allocUnsafeSlow(slabBytes)
  lent.add(slab.buffer)
  return slab
}

/** Takes a piece back that lies in memory of `takeMemory`; anything else is passed over. */
export function giveBack(piece: Buffer): void {
  if (piece.length >= smallestSlabPiece && lent.delete(piece.buffer) && spare.length < maxSpare)
    spare.push(Buffer.from(piece.buffer))
}
