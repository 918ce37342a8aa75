import { amountText, parseAmount } from './unit-error.ts'

const units = new Map([
  ['b', 1],
  ['kb', 1024],
  ['mb', 1024 ** 2],
  ['gb', 1024 ** 3],
])

/** What a size looks like, for schemas of editors. */
export const sizePattern = '^[0-9]+(b|kb|mb|gb)$'

/** Bytes of `512b`, `64kb`, `10mb`, `1gb`; 1kb is 1024 bytes. Throws UnitError. */
export function parseSize(text: string): number {
  return parseAmount(text, 'size', '512b, 64kb, 10mb or 1gb', units)
}

/** The shortest exact spelling: 65536 → `64kb`, Infinity → `unlimited`. */
export function sizeText(bytes: number): string {
  return bytes === Infinity ? 'unlimited' : amountText(bytes, units)
}
