import { PatternSyntaxError, parsePattern } from './pattern-syntax.ts'
import type { OneOf, PatternNode } from './pattern-syntax.ts'

/** Work that several patterns share; what is used up makes every further match fail. Whoever asks sets it anew. */
export interface WorkLeft {
  steps: number
}

/** A step of the automaton: takes a character, branches, or asks for an edge. */
type Step =
  | { readonly kind: 'take'; readonly takes: OneOf['takes']; readonly next: number }
  | { readonly kind: 'fork'; readonly next: readonly number[] }
  | { readonly kind: 'edge'; readonly edge: 'start' | 'end' | 'word' | 'inside'; readonly next: number }
  | { readonly kind: 'done' }

/** More steps than this mean a pattern nobody understands. */
const maxSteps = 5000
/** Known states are forgotten together beyond this: memory is bounded whatever is matched. */
const maxStates = 256
/**
 * Whether a text has a place that fits a regular expression, found in one pass: time grows with the text alone, whatever
 * the pattern and whoever wrote the text. Throws PatternSyntaxError for what cannot be matched so.
 */
export class LinearPattern {
  readonly #source: string
  readonly #isUnicode: boolean
  readonly #whole: Automaton
  readonly #conditions: readonly { readonly automaton: Automaton; readonly isWanted: boolean }[]

  constructor(source: string, work: WorkLeft = { steps: Infinity }) {
    const { node, conditions, isUnicode } = parsePattern(source)
    this.#source = source
    this.#isUnicode = isUnicode
    this.#whole = new Automaton(node, work)
    this.#conditions = conditions.map((condition) => ({
      automaton: new Automaton(condition.node, work),
      isWanted: condition.isWanted,
    }))
  }

  test(text: string): boolean {
    for (const { automaton, isWanted } of this.#conditions) {
      const fits = automaton.fits(text, this.#isUnicode)
      if (fits === undefined || fits !== isWanted) return false
    }
    return this.#whole.fits(text, this.#isUnicode) === true
  }

  toString(): string {
    return `/${this.#source}/`
  }
}

/** What stood before: nothing, a character of words, another one. */
const atStart = 0
const afterWord = 1
const afterOther = 2

/** A set of steps that could be next, with what stood before them. */
class State {
  readonly steps: readonly number[]
  readonly before: number
  /** By code below 128; filled as characters come. */
  readonly next: (State | undefined)[] = []
  fitsAtEnd: boolean | undefined

  constructor(steps: readonly number[], before: number) {
    this.steps = steps
    this.before = before
  }
}

/** A text has been found to fit, whatever follows. */
const found = new State([], atStart)

/** Thompson's construction, with the sets of steps kept as they are met. */
class Automaton {
  readonly #steps: Step[] = []
  readonly #work: WorkLeft
  readonly #entry: number
  readonly #seen: Uint32Array
  #mark = 0
  #parts = 0
  #states = new Map<string, State>()
  #start: State

  constructor(node: PatternNode, work: WorkLeft) {
    this.#work = work
    this.#entry = this.#build(node, this.#add({ kind: 'done' }))
    this.#seen = new Uint32Array(this.#steps.length)
    this.#start = new State([this.#entry], atStart)
  }

  /** Undefined when the work is used up. */
  fits(text: string, isUnicode: boolean): boolean | undefined {
    let state = this.#start
    const { length } = text
    for (let i = 0; i < length; i++) {
      let code = text.charCodeAt(i)
      if (isUnicode && code >= 0xd800 && code < 0xdc00) {
        code = text.codePointAt(i)!
        if (code > 0xffff) i++
      }
      if (--this.#work.steps < 0) return undefined
      state = (code < 128 ? state.next[code] : undefined) ?? this.#after(state, code)
      if (state === found) return true
    }
    return (state.fitsAtEnd ??= this.#closed(state, undefined).isDone)
  }

  #after(state: State, code: number): State {
    const { takers, isDone } = this.#closed(state, code)
    if (isDone) return this.#remember(state, code, found)
    const next = new Set<number>()
    for (const at of takers) {
      const step = this.#steps[at] as Step & { kind: 'take' }
      if (step.takes(code)) next.add(step.next)
    }
    // A fit may begin at any place.
    next.add(this.#entry)
    this.#work.steps -= takers.length
    const steps = [...next].sort((a, b) => a - b)
    const before = isWord(code) ? afterWord : afterOther
    const key = `${before}:${steps.join()}`
    let known = this.#states.get(key)
    if (known === undefined) {
      if (this.#states.size >= maxStates) {
        this.#states = new Map()
        this.#start = new State([this.#entry], atStart)
      }
      known = new State(steps, before)
      this.#states.set(key, known)
    }
    return this.#remember(state, code, known)
  }

  #remember(state: State, code: number, next: State): State {
    if (code < 128) state.next[code] = next
    return next
  }

  /** The steps that take a character, reached without taking one; `code` is the character that follows, if one does. */
  #closed(state: State, code: number | undefined): { takers: number[]; isDone: boolean } {
    const takers: number[] = []
    let isDone = false
    const mark = ++this.#mark
    const open = [...state.steps]
    const wasWord = state.before === afterWord
    const willBeWord = code !== undefined && isWord(code)
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.#seen[at] === mark) continue
      this.#seen[at] = mark
      this.#work.steps--
      const step = this.#steps[at]
      if (step.kind === 'take') takers.push(at)
      else if (step.kind === 'done') isDone = true
      else if (step.kind === 'fork') for (const next of step.next) open.push(next)
      else if (holds(step.edge, state.before, code, wasWord !== willBeWord)) open.push(step.next)
    }
    return { takers, isDone }
  }

  #add(step: Step): number {
    if (this.#steps.length >= maxSteps) throw tooLarge()
    return this.#steps.push(step) - 1
  }

  /** Where to begin so that `node` is followed by `next`. */
  #build(node: PatternNode, next: number): number {
    // What is empty, repeated a thousand times a thousand times, adds no step and must have an end all the same.
    if (++this.#parts > 10 * maxSteps) throw tooLarge()
    switch (node.kind) {
      case 'one':
        return this.#add({ kind: 'take', takes: node.takes, next })
      case 'edge':
        return this.#add({ kind: 'edge', edge: node.edge, next })
      case 'all':
        return node.parts.reduceRight((after, part) => this.#build(part, after), next)
      case 'any':
        return this.#add({ kind: 'fork', next: node.choices.map((choice) => this.#build(choice, next)) })
      default:
        return this.#repeat(node, next)
    }
  }

  #repeat({ what, min, max }: PatternNode & { kind: 'repeat' }, next: number): number {
    let begin = next
    if (max === Infinity) {
      const loop: number[] = [next]
      begin = this.#add({ kind: 'fork', next: loop })
      loop.push(this.#build(what, begin))
    } else {
      for (let i = min; i < max; i++) begin = this.#add({ kind: 'fork', next: [next, this.#build(what, begin)] })
    }
    for (let i = 0; i < min; i++) begin = this.#build(what, begin)
    return begin
  }
}

function tooLarge(): PatternSyntaxError {
  return new PatternSyntaxError('it is too large: use minLength and maxLength to bound lengths')
}

function holds(edge: 'start' | 'end' | 'word' | 'inside', before: number, code: number | undefined, isBorder: boolean): boolean {
  if (edge === 'start') return before === atStart
  if (edge === 'end') return code === undefined
  return isBorder === (edge === 'word')
}

function isWord(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122)
}
