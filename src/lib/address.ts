import ipaddr from 'ipaddr.js'

/**
 * IP addresses as the gateway reads them: dotted IPv4 with four decimal parts, and IPv6; never the short, octal or hex
 * spellings of inet_aton. An IPv4-mapped IPv6 address (::ffff:0:0/96) is the IPv4 address it stands for.
 */

/** A block of addresses: every address whose first `prefix` bits are those of `words`. */
interface Block {
  readonly isV6: boolean
  /** One word for IPv4, four for IPv6, most significant first, bits behind the prefix cleared. */
  readonly words: readonly number[]
  readonly prefix: number
}

const notV4 = -1

/** The 32 bits of a dotted IPv4 address; -1 for anything else. */
export function ipv4Bits(text: string): number {
  const length = text.length
  if (length < 7 || length > 15) return notV4
  let bits = 0
  let part = 0
  let digits = 0
  let dots = 0
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      if (digits === 0 || ++dots > 3) return notV4
      bits = bits * 256 + part
      part = 0
      digits = 0
      continue
    }
    if (code < 48 || code > 57) return notV4
    if (digits > 0 && part === 0) return notV4
    part = part * 10 + code - 48
    if (++digits > 3 || part > 255) return notV4
  }
  return dots === 3 && digits > 0 ? bits * 256 + part : notV4
}

const zone = /^[0-9A-Za-z.:_-]{1,64}$/

/**
 * Reads an IPv6 address into four words; false for anything else. A zone (`%eth0`) is not part of an address and is
 * passed over, if it could be the name of an interface. An IPv4 tail is read.
 */
export function ipv6Words(text: string, into: Uint32Array): boolean {
  let end = text.indexOf('%')
  if (end === -1) end = text.length
  else if (!zone.test(text.slice(end + 1))) return false
  if (end < 2 || end > 45) return false
  let groups = 0
  let gapAt = -1
  let i = 0
  if (text.charCodeAt(0) === 58) {
    if (text.charCodeAt(1) !== 58) return false
    gapAt = 0
    i = 2
  }
  while (i < end) {
    let value = 0
    let digits = 0
    const start = i
    let code = 0
    for (; i < end; i++) {
      code = text.charCodeAt(i)
      const digit = hexDigit(code)
      if (digit === -1) break
      value = value * 16 + digit
      digits++
    }
    if (i < end && code === 46) {
      const tail = ipv4Bits(text.slice(start, end))
      if (tail === notV4 || groups > 6) return false
      groupsOfText[groups++] = tail >>> 16
      groupsOfText[groups++] = tail & 0xffff
      i = end
      break
    }
    if (digits === 0 || digits > 4 || groups === 8) return false
    groupsOfText[groups++] = value
    if (i === end) break
    if (code !== 58 || ++i === end) return false
    if (text.charCodeAt(i) !== 58) continue
    if (gapAt !== -1) return false
    gapAt = groups
    i++
  }
  if (gapAt === -1 ? groups !== 8 : groups > 7) return false
  const gap = 8 - groups
  for (let g = 0; g < 8; g += 2) into[g >> 1] = (groupAt(g, gapAt, gap) * 65536 + groupAt(g + 1, gapAt, gap)) >>> 0
  return true
}

const groupsOfText = new Uint16Array(9)

function groupAt(index: number, gapAt: number, gap: number): number {
  if (gapAt === -1 || index < gapAt) return groupsOfText[index]
  return index < gapAt + gap ? 0 : groupsOfText[index - gap]
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** The 32 bits of an IPv4-mapped address's words; -1 when it is none. */
function mappedV4(words: Uint32Array): number {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? words[3] : notV4
}

const scratch = new Uint32Array(4)

/** The one spelling of an address (RFC 5952; mapped addresses as IPv4; no zone), or undefined when it is none. */
export function canonicalAddress(text: string): string | undefined {
  if (ipv4Bits(text) !== notV4) return text
  if (!ipv6Words(text, scratch)) return undefined
  const v4 = mappedV4(scratch)
  return v4 === notV4 ? v6Text(scratch) : v4Text(v4)
}

/** Whom a budget per address belongs to: an IPv4 address itself; of IPv6 its /64, since one customer holds a whole one. */
export function addressKey(canonical: string): string {
  if (!canonical.includes(':') || !ipv6Words(canonical, scratch)) return canonical
  scratch[2] = 0
  scratch[3] = 0
  return `${v6Text(scratch)}/64`
}

function v4Text(bits: number): string {
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`
}

function v6Text(words: Uint32Array): string {
  const parts: number[] = []
  for (const word of words) parts.push(word >>> 16, word & 0xffff)
  return new ipaddr.IPv6(parts).toRFC5952String()
}

/** An address or a CIDR block in text is none. `remedy` says what would be right. */
export class AddressError extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.name = 'AddressError'
    this.remedy = remedy
  }
}

const remedy = 'write an address or a block, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32'

/** The canonical text of an address or CIDR block. Throws AddressError; bits behind the prefix are a mistake too. */
export function parseCidr(text: string): string {
  const { isV6, words, prefix } = parseBlock(text)
  const address = isV6 ? v6Text(Uint32Array.from(words)) : v4Text(words[0])
  return `${address}/${prefix}`
}

function parseBlock(text: string): Block {
  const bad = (why: string, hint = remedy): AddressError => new AddressError(`${JSON.stringify(text.slice(0, 60))} ${why}`, hint)
  const slash = text.indexOf('/')
  const address = slash === -1 ? text : text.slice(0, slash)
  const words = new Uint32Array(4)
  let v4 = ipv4Bits(address)
  if (v4 === notV4) {
    if (address.includes('%') || !ipv6Words(address, words)) throw bad('is not an address or a block of addresses')
  }
  const isMapped = v4 === notV4 && mappedV4(words) !== notV4
  const size = slash === -1 ? undefined : text.slice(slash + 1)
  const bits = v4 === notV4 ? 128 : 32
  if (size !== undefined && (!/^\d{1,3}$/.test(size) || Number(size) > bits)) throw bad(`has no prefix from 0 to ${bits}`)
  let prefix = size === undefined ? bits : Number(size)
  if (isMapped) {
    if (prefix < 96) throw bad('holds more than IPv4-mapped addresses', 'write the IPv4 block itself')
    v4 = mappedV4(words)
    prefix -= 96
  }
  const whole = v4 === notV4 ? [...words] : [v4]
  const cleared = whole.map((word, i) => (word & maskOf(prefix - 32 * i)) >>> 0)
  if (cleared.some((word, i) => word !== whole[i])) {
    const start = v4 === notV4 ? v6Text(Uint32Array.from(cleared)) : v4Text(cleared[0])
    throw bad('has bits set behind its prefix', `write "${start}/${prefix}"`)
  }
  return { isV6: v4 === notV4, words: cleared, prefix }
}

/** Whether one of `blocks` holds all of `block`; halves that only together hold it do not. Throws AddressError. */
export function isWithinBlocks(block: string, blocks: readonly string[]): boolean {
  const { isV6, words, prefix } = parseBlock(block)
  return blocks
    .map(parseBlock)
    .some(
      (other) =>
        other.isV6 === isV6 &&
        other.prefix <= prefix &&
        other.words.every((word, i) => (words[i] & maskOf(other.prefix - 32 * i)) >>> 0 === word),
    )
}

/** A word with its first `bits` bits set; none below 0, all from 32 on. */
function maskOf(bits: number): number {
  if (bits <= 0) return 0
  return bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0
}

/** Ranges of addresses, apart and in order: first and last of each, a word for IPv4 and four for IPv6. Threads may share them. */
export interface AddressRanges {
  readonly v4First: Uint32Array
  readonly v4Last: Uint32Array
  readonly v6First: Uint32Array
  readonly v6Last: Uint32Array
}

/** The ranges of these addresses and blocks, in memory that threads can share. Throws AddressError on what is neither. */
export function rangesOf(cidrs: readonly string[]): AddressRanges {
  const blocks = cidrs.map(parseBlock)
  const v4 = disjoint(blocks.filter((block) => !block.isV6))
  const v6 = disjoint(blocks.filter((block) => block.isV6))
  return {
    v4First: sharedWords(v4, ({ words }) => words),
    v4Last: sharedWords(v4, lastOf),
    v6First: sharedWords(v6, ({ words }) => words),
    v6Last: sharedWords(v6, lastOf),
  }
}

function sharedWords(blocks: readonly Block[], wordsOf: (block: Block) => readonly number[]): Uint32Array {
  const each = blocks.length === 0 ? 0 : blocks[0].words.length
  const words = new Uint32Array(new SharedArrayBuffer(blocks.length * each * 4))
  for (const [i, block] of blocks.entries()) words.set(wordsOf(block), i * each)
  return words
}

/**
 * A set of CIDR blocks, compiled to sorted, disjoint ranges: a look-up is a binary search over integers, whatever the
 * number of blocks.
 */
export class AddressSet {
  /** First and last address of each range. */
  readonly #v4First: Uint32Array
  readonly #v4Last: Uint32Array
  /** The same with four words per address. */
  readonly #v6First: Uint32Array
  readonly #v6Last: Uint32Array

  /** From addresses and blocks, or from the ranges of another set. Throws AddressError on what is neither. */
  constructor(of: readonly string[] | AddressRanges) {
    const ranges = 'v4First' in of ? of : rangesOf(of)
    this.#v4First = ranges.v4First
    this.#v4Last = ranges.v4Last
    this.#v6First = ranges.v6First
    this.#v6Last = ranges.v6Last
  }

  get isEmpty(): boolean {
    return this.#v4First.length === 0 && this.#v6First.length === 0
  }

  /** How many ranges there are; blocks within others are not counted. */
  get size(): number {
    return this.#v4First.length + this.#v6First.length / 4
  }

  /** Whether the address, in any spelling, lies in one of the blocks; false for what is no address. */
  has(address: string): boolean {
    const v4 = ipv4Bits(address)
    if (v4 !== notV4) return this.#hasV4(v4)
    if (!ipv6Words(address, scratch)) return false
    const mapped = mappedV4(scratch)
    return mapped === notV4 ? this.#hasV6(scratch) : this.#hasV4(mapped)
  }

  #hasV4(bits: number): boolean {
    const first = this.#v4First
    let low = 0
    let high = first.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (first[middle] <= bits) low = middle + 1
      else high = middle
    }
    return low > 0 && bits <= this.#v4Last[low - 1]
  }

  #hasV6(words: Uint32Array): boolean {
    let low = 0
    let high = this.#v6First.length >>> 2
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(this.#v6First, middle * 4, words) <= 0) low = middle + 1
      else high = middle
    }
    return low > 0 && compare(this.#v6Last, (low - 1) * 4, words) >= 0
  }
}

/** Sorted blocks without those inside another one. Blocks nest or are apart, so nothing else can overlap. */
function disjoint(blocks: readonly Block[]): Block[] {
  const sorted = blocks.toSorted((a, b) => compare(a.words, 0, b.words) || a.prefix - b.prefix)
  const kept: Block[] = []
  let last: readonly number[] | undefined
  for (const block of sorted) {
    if (last !== undefined && compare(last, 0, block.words) >= 0) continue
    kept.push(block)
    last = lastOf(block)
  }
  return kept
}

function lastOf(block: Block): number[] {
  return block.words.map((word, i) => (word | ~maskOf(block.prefix - 32 * i)) >>> 0)
}

/** Compares the address at `at` with `words`. */
function compare(words: ArrayLike<number>, at: number, others: ArrayLike<number>): number {
  for (let i = 0; i < others.length; i++) {
    const difference = words[at + i] - others[i]
    if (difference !== 0) return difference
  }
  return 0
}
