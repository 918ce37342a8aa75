/** One character of a pattern: whether a code point is among those it takes. */
export interface OneOf {
  readonly kind: 'one'
  readonly takes: (code: number) => boolean
}

/** A regular expression as a tree. Only what can be matched in one pass over a text. */
export type PatternNode =
  | OneOf
  | { readonly kind: 'all'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'any'; readonly choices: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly what: PatternNode; readonly min: number; readonly max: number }
  | { readonly kind: 'edge'; readonly edge: 'start' | 'end' | 'word' | 'inside' }

/** A pattern that is none, or one that cannot be matched in bounded time. The message is for its author. */
export class PatternSyntaxError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PatternSyntaxError'
  }
}

/** What a pattern asks of a text: it fits `node`, and each condition that stands in front of it holds. */
export interface ParsedPattern {
  readonly node: PatternNode
  readonly conditions: readonly { readonly node: PatternNode; readonly isWanted: boolean }[]
  /** Whether characters are code points (flag `u`) or UTF-16 units. */
  readonly isUnicode: boolean
}

/** The most that a counted repetition may count to. */
const maxCount = 1000
const maxNesting = 100

/**
 * Reads a regular expression of ECMA-262, by flag `u` where that can be. Look-ahead is known at the beginning, right behind
 * `^`. Throws PatternSyntaxError for the rest of what only backtracking can match: look-around elsewhere, back references.
 */
export function parsePattern(source: string): ParsedPattern {
  const isUnicode = isValid(source, 'u')
  if (!isUnicode && !isValid(source, '')) throw new PatternSyntaxError('it is not a regular expression')
  const parser = new Parser(source, isUnicode)
  const conditions = parser.conditions()
  return { node: parser.whole(conditions.length > 0), conditions, isUnicode }
}

function isValid(source: string, flags: string): boolean {
  try {
    return new RegExp(source, flags) instanceof RegExp
  } catch {
    return false
  }
}

// The text is valid by the engine's own reading, so this one only has to tell the parts apart.
class Parser {
  readonly #source: string
  readonly #isUnicode: boolean
  #at = 0
  #depth = 0

  constructor(source: string, isUnicode: boolean) {
    this.#source = source
    this.#isUnicode = isUnicode
  }

  /** `^(?=…)(?!…)`, and nothing of the kind later. */
  conditions(): { node: PatternNode; isWanted: boolean }[] {
    const found: { node: PatternNode; isWanted: boolean }[] = []
    let start = 0
    if (this.#source.startsWith('^')) start = 1
    this.#at = start
    while (this.#source.startsWith('(?=', this.#at) || this.#source.startsWith('(?!', this.#at)) {
      // Behind no "^" a condition would hold at any place of the text.
      if (start === 0) throw new PatternSyntaxError('it looks ahead (?=…), which is known only right behind "^"')
      const isWanted = this.#source[this.#at + 2] === '='
      this.#at += 3
      const inner = this.#choices()
      this.#at++
      if (/[*+?{]/.test(this.#source[this.#at] ?? '')) throw new PatternSyntaxError('it repeats a look-ahead')
      found.push({ node: { kind: 'all', parts: [{ kind: 'edge', edge: 'start' }, inner] }, isWanted })
    }
    // "^(?=a)b|c" is a choice of which only the first part has the condition.
    if (found.length > 0 && this.#hasOuterChoice()) {
      throw new PatternSyntaxError('it looks ahead (?=…) in one of several choices')
    }
    if (found.length === 0) this.#at = 0
    return found
  }

  #hasOuterChoice(): boolean {
    const from = this.#at
    const rest = this.#choices()
    this.#at = from
    return rest.kind === 'any'
  }

  whole(isBehindConditions: boolean): PatternNode {
    const rest = this.#choices()
    return isBehindConditions ? { kind: 'all', parts: [{ kind: 'edge', edge: 'start' }, rest] } : rest
  }

  #choices(): PatternNode {
    if (++this.#depth > maxNesting) throw new PatternSyntaxError('it is nested too deep')
    const choices = [this.#sequence()]
    while (this.#source[this.#at] === '|') {
      this.#at++
      choices.push(this.#sequence())
    }
    this.#depth--
    return choices.length === 1 ? choices[0] : { kind: 'any', choices }
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = []
    while (this.#at < this.#source.length && this.#source[this.#at] !== '|' && this.#source[this.#at] !== ')') {
      parts.push(this.#repeated(this.#atom()))
    }
    return { kind: 'all', parts }
  }

  #repeated(what: PatternNode): PatternNode {
    const count = /[*+?]|\{(\d+)(,(\d*))?\}/y
    count.lastIndex = this.#at
    const found = count.exec(this.#source)
    if (found === null) return what
    this.#at = count.lastIndex
    // Lazy or greedy: whether a text fits is the same.
    if (this.#source[this.#at] === '?') this.#at++
    const [sign, low, more, high] = found
    if (sign === '*') return { kind: 'repeat', what, min: 0, max: Infinity }
    if (sign === '+') return { kind: 'repeat', what, min: 1, max: Infinity }
    if (sign === '?') return { kind: 'repeat', what, min: 0, max: 1 }
    const min = Number(low)
    const max = more === undefined ? min : high === '' ? Infinity : Number(high)
    if (min > maxCount || (max !== Infinity && max > maxCount)) {
      throw new PatternSyntaxError(`it counts further than ${maxCount}: use minLength and maxLength`)
    }
    return { kind: 'repeat', what, min, max }
  }

  #atom(): PatternNode {
    const char = this.#source[this.#at]
    if (char === '(') return this.#group()
    if (char === '^' || char === '$') {
      this.#at++
      return { kind: 'edge', edge: char === '^' ? 'start' : 'end' }
    }
    if (char === '[') return this.#taking(this.#endOfClass())
    if (char === '\\') return this.#escape()
    if (char === '.') return this.#taking(this.#at + 1)
    const code = this.#isUnicode ? this.#source.codePointAt(this.#at)! : this.#source.charCodeAt(this.#at)
    this.#at += code > 0xffff ? 2 : 1
    return { kind: 'one', takes: (other) => other === code }
  }

  #group(): PatternNode {
    this.#at++
    if (this.#source[this.#at] === '?') {
      const opening = /\?(?::|<[^=!>][^>]*>)/y
      opening.lastIndex = this.#at
      if (!opening.test(this.#source)) {
        throw new PatternSyntaxError('it looks around, (?=…) or (?<…), which is known only right behind "^" and only ahead')
      }
      this.#at = opening.lastIndex
    }
    const inner = this.#choices()
    this.#at++
    return inner
  }

  #escape(): PatternNode {
    const next = this.#source[this.#at + 1]
    if (next === 'b' || next === 'B') {
      this.#at += 2
      return { kind: 'edge', edge: next === 'b' ? 'word' : 'inside' }
    }
    if (next === 'k' || (next >= '1' && next <= '9')) throw new PatternSyntaxError('it refers back to a group (\\1)')
    const forms = this.#isUnicode
      ? /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u\{[\da-fA-F]+\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[A-Za-z]|[pP]\{[^}]*\}|[^])/y
      : /\\(?:u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[A-Za-z]|[^])/y
    forms.lastIndex = this.#at
    forms.test(this.#source)
    return this.#taking(forms.lastIndex)
  }

  #endOfClass(): number {
    for (let i = this.#at + 1; ; i++) {
      if (this.#source[i] === '\\') i++
      else if (this.#source[i] === ']') return i + 1
    }
  }

  /** What stands up to `end` takes one character: the engine itself is asked which, one at a time. */
  #taking(end: number): OneOf {
    const one = new RegExp(`^${this.#source.slice(this.#at, end)}$`, this.#isUnicode ? 'u' : '')
    this.#at = end
    const isUnicode = this.#isUnicode
    return { kind: 'one', takes: (code) => one.test(isUnicode ? String.fromCodePoint(code) : String.fromCharCode(code)) }
  }
}
