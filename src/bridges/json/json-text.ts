/**
 * JSON as bridges need it: RFC 8259 to the letter, no member twice (in any spelling of its escapes), bounded depth, and no
 * digit lost. A number that a double cannot hold exactly comes out as an `ExactNumber`; `settleNumbers` decides what
 * becomes of it once the type of its field is known.
 */

/** A number whose digits matter: an integer beyond 2^53, or a fraction or exponent that may stand for one. */
export class ExactNumber {
  /** As it was written. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Json = null | boolean | number | string | ExactNumber | Json[] | { [name: string]: Json }

/** Text that is no JSON, or is nested too deeply; `at` is the place in the text. */
export class JsonTextError extends Error {
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.name = 'JsonTextError'
    this.at = at
  }
}

/** A value, and whether there are `ExactNumber`s in it. */
export interface ParsedJson {
  readonly value: Json
  readonly hasExact: boolean
}

/** Deeper nesting has no honest use, and messages are bounded likewise. */
const maxDepth = 100

/** Parses one JSON value. Throws a JsonTextError. */
export function parseJson(text: string): ParsedJson {
  const parser = new Parser(text)
  const value = parser.whole()
  return { value, hasExact: parser.hasExact }
}

class Parser {
  hasExact = false
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): Json {
    const value = this.#value()
    if (this.#skip() !== -1) this.#fail('something follows the value')
    return value
  }

  #fail(message: string, at = this.#at): never {
    throw new JsonTextError(message, at)
  }

  /** The next code that is no white space, not yet taken; -1 at the end. */
  #skip(): number {
    const text = this.#text
    for (;;) {
      const code = text.charCodeAt(this.#at)
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return Number.isNaN(code) ? -1 : code
      this.#at++
    }
  }

  #value(): Json {
    const code = this.#skip()
    switch (code) {
      case 34:
        return this.#string()
      case 123:
        return this.#object()
      case 91:
        return this.#array()
      case 116:
        return this.#word('true', true)
      case 102:
        return this.#word('false', false)
      case 110:
        return this.#word('null', null)
      case -1:
        return this.#fail('the text ends where a value is expected')
      default:
        return this.#number(code)
    }
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('this is no value')
    this.#at += word.length
    return value
  }

  #object(): Json {
    if (++this.#depth > maxDepth) this.#fail(`values are nested deeper than ${maxDepth}`)
    const object: { [name: string]: Json } = {}
    this.#at++
    let code = this.#skip()
    if (code !== 125) {
      for (;;) {
        if (code !== 34) this.#fail('the name of a member is expected')
        const start = this.#at
        const name = this.#string()
        if (Object.hasOwn(object, name)) this.#fail(`the member ${JSON.stringify(name)} stands there twice`, start)
        if (this.#skip() !== 58) this.#fail('":" is expected')
        this.#at++
        const value = this.#value()
        // Assigning would set the prototype instead.
        if (name === '__proto__')
          Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
        else object[name] = value
        code = this.#skip()
        if (code === 125) break
        if (code !== 44) this.#fail('"," or "}" is expected')
        this.#at++
        code = this.#skip()
      }
    }
    this.#at++
    this.#depth--
    return object
  }

  #array(): Json {
    if (++this.#depth > maxDepth) this.#fail(`values are nested deeper than ${maxDepth}`)
    const array: Json[] = []
    this.#at++
    if (this.#skip() !== 93) {
      for (;;) {
        array.push(this.#value())
        const code = this.#skip()
        if (code === 93) break
        if (code !== 44) this.#fail('"," or "]" is expected')
        this.#at++
      }
    }
    this.#at++
    this.#depth--
    return array
  }

  #string(): string {
    const text = this.#text
    const start = this.#at + 1
    let hasEscape = false
    for (let i = start; ; i++) {
      const code = text.charCodeAt(i)
      if (code === 34) {
        this.#at = i + 1
        return hasEscape ? this.#unescaped(start - 1, i + 1) : text.slice(start, i)
      }
      if (code === 92) {
        hasEscape = true
        i++
      } else if (code < 32) this.#fail('a string holds a control character', i)
      else if (Number.isNaN(code)) this.#fail('a string does not end', start - 1)
    }
  }

  #unescaped(start: number, end: number): string {
    let value: string
    try {
      value = JSON.parse(this.#text.slice(start, end)) as string
    } catch {
      return this.#fail('a string holds an escape that is none', start)
    }
    // Half of a surrogate pair has no UTF-8: it would become something else on the way.
    return value.isWellFormed() ? value : this.#fail('a string holds half of a surrogate pair', start)
  }

  #number(first: number): Json {
    const text = this.#text
    const start = this.#at
    let i = start
    if (first === 45) i++
    const digits = i
    if (text.charCodeAt(i) === 48) i++
    else i = this.#digits(i)
    let isInteger = true
    if (text.charCodeAt(i) === 46) {
      isInteger = false
      i = this.#digits(i + 1)
    }
    if ((text.charCodeAt(i) | 32) === 101) {
      isInteger = false
      const sign = text.charCodeAt(i + 1)
      i = this.#digits(sign === 43 || sign === 45 ? i + 2 : i + 1)
    }
    this.#at = i
    const written = text.slice(start, i)
    const value = Number(written)
    // Neither fields nor JSON that goes on have a word for infinity.
    if (!Number.isFinite(value)) this.#fail('a number is larger than any double', start)
    if (i - digits < 16 && (isInteger || Math.abs(value) < Number.MAX_SAFE_INTEGER)) return value
    if (isInteger ? Number.isSafeInteger(value) : Math.abs(value) < 1) return value
    this.hasExact = true
    return new ExactNumber(written)
  }

  #digits(from: number): number {
    const text = this.#text
    let i = from
    while (isDigit(text.charCodeAt(i))) i++
    if (i === from) this.#fail(from === this.#at ? 'this is no value' : 'a digit is expected', i)
    return i
  }
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

const numberParts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** The integer that a JSON number stands for, exactly, as text; undefined when it is none or has more than 30 digits. */
export function exactInteger(text: string): string | undefined {
  const parts = numberParts.exec(text)
  if (parts === null) return undefined
  const [, sign, whole, fraction = '', exponentText = '0'] = parts
  const exponent = Number(exponentText)
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits === '') return '0'
  const significant = digits.replace(/0+$/, '')
  // How many zeros follow the significant digits; below zero: a fraction is left.
  const zeros = digits.length - significant.length + exponent - fraction.length
  if (zeros < 0 || significant.length + zeros > 30) return undefined
  return sign + significant + '0'.repeat(zeros)
}
