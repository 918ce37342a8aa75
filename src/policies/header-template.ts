import type { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import { headerId } from '../core/header-names.ts'
import { fieldText } from '../lib/field-text.ts'
import { nearest } from '../lib/suggest.ts'
import { headerValueOption } from './option-schemas.ts'

/** A header's value: fixed, or made of each exchange; undefined there when a part of it is not known. */
export type HeaderTemplate = string | ((x: Exchange) => string | undefined)

type Part = (x: Exchange) => string | undefined

const words: Readonly<Record<string, Part>> = {
  subject: (x) => x.identity?.subject,
  tenant: (x) => x.identity?.tenant,
  client: (x) => x.identity?.client,
  address: (x) => x.clientAddress,
  route: (x) => x.route?.name,
  listener: (x) => x.connection.listener,
  method: (x) => x.method,
  scheme: (x) => x.scheme,
  host: (x) => x.authority,
  path: (x) => x.path,
  'request-id': (x) => x.id,
}

const families: Readonly<Record<string, (name: string) => Part>> = {
  param: (name) => (x) => x.param(name),
  header(name) {
    const lower = name.toLowerCase()
    // Known to the scan of messages before the first one comes.
    headerId(lower)
    return (x) => x.headers.get(lower)
  },
  claim: (name) => (x) => claimText(x.identity?.claims[name]),
}

const known = [...Object.keys(words), ...Object.keys(families).map((family) => `${family}:NAME`)]
/** What is in braces and looks like one of ours; JSON in a value does not. */
const slot = /\{([A-Za-z-]+)(?::([^{}\s]+))?\}/g

/** The value of a header line with `{subject}` and the like in it; a name that means nothing is refused. */
export const headerTemplateOption: z.ZodType<string, string> = (headerValueOption as z.ZodString).superRefine((text, context) => {
  for (const [whole, word, name] of text.matchAll(slot)) {
    if (partOf(word, name) !== undefined) continue
    const meant = nearest(name === undefined ? word : `${word}:NAME`, known)
    const remedy = meant === undefined ? `use one of ${known.join(', ')}` : `did you mean "{${meant}}"?`
    context.addIssue({ code: 'custom', message: `nothing is known by "${whole}"`, params: { remedy } })
  }
})

function partOf(word: string, name: string | undefined): Part | undefined {
  if (name === undefined) return Object.hasOwn(words, word) ? words[word] : undefined
  return Object.hasOwn(families, word) ? families[word](name) : undefined
}

/** Compiles a value that `headerTemplateOption` has accepted. */
export function compileHeaderTemplate(text: string): HeaderTemplate {
  const parts: (string | Part)[] = []
  let end = 0
  for (const found of text.matchAll(slot)) {
    if (found.index > end) parts.push(text.slice(end, found.index))
    parts.push(partOf(found[1], found[2])!)
    end = found.index + found[0].length
  }
  if (parts.length === 0) return text
  if (end < text.length) parts.push(text.slice(end))
  return (x) => {
    let value = ''
    for (const part of parts) {
      if (typeof part === 'string') value += part
      else {
        const own = part(x)
        if (own === undefined || own === '') return undefined
        value += fieldText(own)
      }
    }
    return value
  }
}

/** A claim in one line: a text as it is, texts by commas, anything else as JSON. */
function claimText(claim: unknown): string | undefined {
  if (claim === undefined || claim === null) return undefined
  if (typeof claim === 'string') return claim
  if (Array.isArray(claim) && claim.every((each) => typeof each === 'string')) return claim.join(',')
  return JSON.stringify(claim)
}
