import { assertPair } from './header-pair.ts'
import { findHeaderIdOf, headerIdCount, headerName, knownHeaderId } from './header-names.ts'

/**
 * Integers per received line in `Headers.marks`: the name's id (see header-names), then where in the text the name begins
 * and ends and where the value begins and ends.
 */
export const marksPerLine = 5

/** By header id: 1 where a line is to be left out. Compiled once, shared by all messages. */
export type DropTable = Uint8Array

/** A drop table of these ids (both spellings of each). */
export function dropTable(ids: Iterable<number>): DropTable {
  const table = new Uint8Array(headerIdCount())
  for (const id of ids) table[Math.abs(id)] = 1
  return table
}

/** Headers made ready once and put on many messages: each replaces every line of its name. */
export interface HeaderBlock {
  readonly pairs: readonly (readonly [name: string, value: string])[]
  readonly ids: readonly number[]
  /** The lines as they go on the wire, each ended by CRLF. */
  readonly text: string
}

const nothing: readonly number[] = []
/** Makes a block; throws on names or values that could not stand in a message. */
export function headerBlock(pairs: readonly (readonly [string, string])[]): HeaderBlock {
  let text = ''
  const ids: number[] = []
  for (const [name, value] of pairs) {
    assertPair(name, value)
    text += `${name}: ${value}\r\n`
    const id = Math.abs(findHeaderIdOf(name))
    if (id !== 0) ids.push(id)
  }
  return { pairs, ids, text }
}

/**
 * An ordered header list: the received lines, as text with marks and untouched, under edits. Looking a name up scans
 * integers; sending copies runs of unedited neighbouring lines as one piece. Names are matched without case.
 */
export class Headers {
  /** The message's head in latin1; marks point into it. */
  readonly text: string
  readonly marks: readonly number[]
  readonly lineCount: number
  #drop: DropTable | undefined
  #gone: boolean[] | undefined
  /** Added lines: name, value, name, value … */
  #added: string[] | undefined
  #blocks: HeaderBlock[] | undefined
  /** Ready lines made by the gateway for this one message, each ended by CRLF. */
  #lines = ''

  constructor(text = '', marks: readonly number[] = nothing, lineCount: number = marks.length / marksPerLine, drop?: DropTable) {
    this.text = text
    this.marks = marks
    this.lineCount = lineCount
    this.#drop = drop
    this.#gone = undefined
    this.#added = undefined
    this.#blocks = undefined
  }

  /** A list made by us; throws on what could not stand in a message. */
  static from(pairs: readonly (readonly [string, string])[]): Headers {
    const headers = new Headers()
    for (const [name, value] of pairs) headers.append(name, value)
    return headers
  }

  /** Received lines given as name, value, name, value … (HTTP/2, `rawHeaders`), already validated by the wire. */
  static received(raw: readonly string[]): Headers {
    let text = ''
    const marks: number[] = []
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i]
      const value = raw[i + 1]
      const nameStart = text.length
      const nameEnd = nameStart + name.length
      text += `${name}: ${value}\r\n`
      marks.push(findHeaderIdOf(name), nameStart, nameEnd, nameEnd + 2, nameEnd + 2 + value.length)
    }
    return new Headers(text, marks)
  }

  /** A second view of the same received lines, without this one's edits, that leaves out what `drop` names. */
  derive(drop?: DropTable): Headers {
    return new Headers(this.text, this.marks, this.lineCount, drop)
  }

  /**
   * A list of its own that says what this one does, without what `skip` names (but with all ready lines, as in `toLines`).
   * Neither sees later edits of the other.
   */
  copy(skip: DropTable): Headers {
    const { marks } = this
    const copy = new Headers(this.text, marks, this.lineCount, skip)
    for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine)
      if (!this.#stands(i, marks[at])) (copy.#gone ??= [])[i] = true
    copy.#lines = this.#lines
    if (this.#blocks === undefined && this.#added === undefined) return copy
    const made = (this.#blocks ?? []).flatMap(({ pairs }) => pairs.flat())
    for (const list of [made, this.#added ?? []])
      for (let i = 0; i < list.length; i += 2)
        if (skip[Math.abs(findHeaderIdOf(list[i]))] !== 1) (copy.#added ??= []).push(list[i], list[i + 1])
    return copy
  }

  /** The value of `name` (lower case); several lines are joined by ", " (RFC 9110 §5.3). Not for Set-Cookie. */
  get(name: string): string | undefined {
    let found: string | undefined
    this.#each(name, (value) => {
      found = found === undefined ? value : `${found}, ${value}`
    })
    return found
  }

  /** The single value of the id among the received lines, or undefined. The quick way for what has an id. */
  first(id: number): string | undefined {
    const marks = this.marks
    for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
      if (marks[at] === id && this.#stands(i, id)) return this.text.slice(marks[at + 3], marks[at + 4])
    }
    return this.#hasMade() ? this.all(headerName(id))[0] : undefined
  }

  /** The value of the only received line with the id; undefined when there is none, null when there are several. */
  single(id: number): string | null | undefined {
    const marks = this.marks
    let found = -1
    for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
      if (marks[at] !== id || !this.#stands(i, id)) continue
      if (found !== -1) return null
      found = at
    }
    return found === -1 ? undefined : this.text.slice(marks[found + 3], marks[found + 4])
  }

  /** Every value of `name` (lower case), in order. */
  all(name: string): string[] {
    const values: string[] = []
    this.#each(name, (value) => void values.push(value))
    return values
  }

  has(name: string): boolean {
    let found = false
    this.#each(name, () => {
      found = true
    })
    return found
  }

  /** Replaces every line of this name, in every spelling that differs by case or `_`. */
  set(name: string, value: string): void {
    this.remove(name)
    this.append(name, value)
  }

  append(name: string, value: string): void {
    assertPair(name, value)
    ;(this.#added ??= []).push(name, value)
  }

  /** Removes every line of this name, in every spelling that differs by case or `_`. */
  remove(name: string): void {
    const lower = name.toLowerCase()
    this.#removeReceived(lower)
    const folded = lower.replaceAll('_', '-')
    const added = this.#added
    if (added !== undefined) {
      for (let i = added.length - 2; i >= 0; i -= 2) {
        if (added[i].toLowerCase().replaceAll('_', '-') === folded) added.splice(i, 2)
      }
    }
    if (this.#blocks === undefined && this.#lines === '') return
    let isMade = false
    this.#eachReady((n) => {
      if (n.toLowerCase().replaceAll('_', '-') === folded) isMade = true
    })
    if (isMade) this.#openReady(folded)
  }

  /** Puts a ready block on: its names replace what stands, at the price of one string. */
  put(block: HeaderBlock): void {
    if (block.ids.length === block.pairs.length && !this.#mayHaveMade(block.ids)) {
      const marks = this.marks
      for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
        const id = Math.abs(marks[at])
        if (id !== 0 && block.ids.includes(id)) (this.#gone ??= [])[i] = true
      }
    } else {
      for (const [name] of block.pairs) this.remove(name)
    }
    ;(this.#blocks ??= []).push(block)
  }

  /** Leaves out every line, in both spellings, whose name is in the table. Lines set later stand. */
  drop(table: DropTable): void {
    if (this.#drop === undefined) {
      this.#drop = table
    } else {
      const marks = this.marks
      for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
        if (marks[at] !== 0 && table[Math.abs(marks[at])] === 1) (this.#gone ??= [])[i] = true
      }
    }
    if (!this.#hasMade() || !this.#mayHaveMade(table)) return
    for (let id = 1; id < table.length; id++) if (table[id] === 1) this.remove(headerName(id))
  }

  /**
   * Adds lines that the gateway itself made of validated values, each ended by CRLF: the cheapest way to add several.
   * Received lines of these names must have been dropped; `replaced` names one id whose lines go. Never hop-by-hop
   * fields: `toLines` sends these whatever it skips.
   */
  putLines(text: string, replaced = 0): void {
    this.#lines += text
    if (replaced === 0) return
    const marks = this.marks
    for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
      if (marks[at] === replaced || marks[at] === -replaced) (this.#gone ??= [])[i] = true
    }
  }

  /** Calls `visit` for every line, in the order in which they are sent; names as they were written. */
  forEach(visit: (name: string, value: string) => void): void {
    const marks = this.marks
    for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
      if (!this.#stands(i, marks[at])) continue
      visit(this.text.slice(marks[at + 1], marks[at + 2]), this.text.slice(marks[at + 3], marks[at + 4]))
    }
    this.#eachReady(visit)
    const added = this.#added
    if (added !== undefined) for (let i = 0; i < added.length; i += 2) visit(added[i], added[i + 1])
  }

  /** Appends the lines as HTTP/2 sends them, name, value, name, value …, names in lower case, without those in `skip`. */
  appendFields(list: string[], skip: DropTable): void {
    const { text, marks, lineCount } = this
    for (let i = 0, at = 0; i < lineCount; i++, at += marksPerLine) {
      const id = marks[at]
      if (skip[id < 0 ? -id : id] === 1 || !this.#stands(i, id)) continue
      const name = id > 0 ? headerName(id) : text.slice(marks[at + 1], marks[at + 2]).toLowerCase()
      list.push(name, text.slice(marks[at + 3], marks[at + 4]))
    }
    if (!this.#hasMade()) return
    const append = (name: string, value: string): void => {
      const lower = name.toLowerCase()
      const id = knownHeaderId(lower)
      if (skip[id !== 0 ? id : Math.abs(findHeaderIdOf(lower))] !== 1) list.push(lower, value)
    }
    this.#eachReady(append)
    const added = this.#added
    if (added !== undefined) for (let i = 0; i < added.length; i += 2) append(added[i], added[i + 1])
  }

  /**
   * The lines as HTTP/1.1 sends them, each ended by CRLF, without those in `skip`. Runs of untouched neighbours in
   * canonical form are copied whole; a line with other whitespace is written anew.
   */
  toLines(skip?: DropTable): string {
    const { text, marks, lineCount } = this
    let out = ''
    let runStart = -1
    let runEnd = -1
    for (let i = 0, at = 0; i < lineCount; i++, at += marksPerLine) {
      const id = marks[at]
      const nameStart = marks[at + 1]
      const valueStart = marks[at + 3]
      const valueEnd = marks[at + 4]
      const stands = this.#stands(i, id) && (skip === undefined || skip[id < 0 ? -id : id] !== 1)
      // Canonical: exactly ": " between name and value (a tab is not). A run goes on while lines touch (CRLF alone between them).
      const canonical = stands && valueStart === marks[at + 2] + 2 && text.charCodeAt(valueStart - 1) === 32
      if (canonical && runStart !== -1 && nameStart === runEnd + 2) {
        runEnd = valueEnd
        continue
      }
      if (runStart !== -1) {
        out += `${text.slice(runStart, runEnd)}\r\n`
        runStart = -1
      }
      if (canonical) {
        runStart = nameStart
        runEnd = valueEnd
      } else if (stands) {
        out += `${text.slice(nameStart, marks[at + 2])}: ${text.slice(valueStart, valueEnd)}\r\n`
      }
    }
    if (runStart !== -1) out += `${text.slice(runStart, runEnd)}\r\n`
    if (this.#blocks !== undefined) for (const block of this.#blocks) out += this.#blockText(block, skip)
    out += this.#lines
    const added = this.#added
    if (added !== undefined) {
      for (let i = 0; i < added.length; i += 2) {
        if (skip !== undefined && skip[Math.abs(findHeaderIdOf(added[i]))] === 1) continue
        out += `${added[i]}: ${added[i + 1]}\r\n`
      }
    }
    return out
  }

  #blockText(block: HeaderBlock, skip: DropTable | undefined): string {
    if (skip === undefined || !block.ids.some((id) => skip[id] === 1)) return block.text
    let out = ''
    for (const [name, value] of block.pairs) {
      if (skip[Math.abs(findHeaderIdOf(name))] !== 1) out += `${name}: ${value}\r\n`
    }
    return out
  }

  #stands(line: number, id: number): boolean {
    if (this.#gone !== undefined && this.#gone[line]) return false
    return this.#drop === undefined || this.#drop[id < 0 ? -id : id] !== 1 || id === 0
  }

  #each(name: string, visit: (value: string) => void): void {
    const id = knownHeaderId(name)
    const { text, marks } = this
    for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
      const lineId = marks[at]
      // A known name is found by its id; any other one is among the lines without id, or those spelt with "_".
      if (id !== 0 ? lineId !== id : lineId > 0) continue
      if (!this.#stands(i, lineId)) continue
      const nameStart = marks[at + 1]
      const nameEnd = marks[at + 2]
      if (id === 0 && (nameEnd - nameStart !== name.length || text.slice(nameStart, nameEnd).toLowerCase() !== name)) continue
      visit(text.slice(marks[at + 3], marks[at + 4]))
    }
    this.#eachReady((n, value) => {
      if (n.toLowerCase() === name) visit(value)
    })
    const added = this.#added
    if (added !== undefined) {
      for (let i = 0; i < added.length; i += 2) if (added[i].toLowerCase() === name) visit(added[i + 1])
    }
  }

  #removeReceived(lower: string): void {
    const id = Math.abs(findHeaderIdOf(lower))
    const folded = lower.replaceAll('_', '-')
    const { text, marks } = this
    for (let i = 0, at = 0; i < this.lineCount; i++, at += marksPerLine) {
      const lineId = marks[at]
      if (id !== 0 ? Math.abs(lineId) !== id : lineId !== 0) continue
      if (id === 0) {
        const nameStart = marks[at + 1]
        const nameEnd = marks[at + 2]
        if (nameEnd - nameStart !== lower.length) continue
        if (text.slice(nameStart, nameEnd).toLowerCase().replaceAll('_', '-') !== folded) continue
      }
      ;(this.#gone ??= [])[i] = true
    }
  }

  #hasMade(): boolean {
    return this.#added !== undefined || this.#blocks !== undefined || this.#lines !== ''
  }

  /** Whether one of these names may stand in what was made here: false is certain, true is a guess. */
  #mayHaveMade(names: readonly number[] | DropTable): boolean {
    if (this.#added !== undefined || this.#lines !== '') return true
    if (this.#blocks === undefined) return false
    for (const block of this.#blocks) {
      if (block.ids.length !== block.pairs.length) return true
      for (const id of block.ids) if (names instanceof Uint8Array ? names[id] === 1 : names.includes(id)) return true
    }
    return false
  }

  /** Visits what blocks and ready lines hold. */
  #eachReady(visit: (name: string, value: string) => void): void {
    if (this.#blocks !== undefined) for (const block of this.#blocks) for (const [name, value] of block.pairs) visit(name, value)
    if (this.#lines === '') return
    for (const line of this.#lines.split('\r\n')) {
      const colon = line.indexOf(': ')
      if (colon !== -1) visit(line.slice(0, colon), line.slice(colon + 2))
    }
  }

  /** Turns blocks and ready lines into single lines that can be edited, without those of one name. */
  #openReady(without: string): void {
    const opened: string[] = []
    this.#eachReady((name, value) => {
      if (name.toLowerCase().replaceAll('_', '-') !== without) opened.push(name, value)
    })
    this.#blocks = undefined
    this.#lines = ''
    this.#added = [...opened, ...(this.#added ?? [])]
  }
}
