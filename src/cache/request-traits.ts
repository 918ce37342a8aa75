import { H, headerId, headerName } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'
import { marksPerLine } from '../core/headers.ts'

/** What there may be about a request that bears on the cache, by its fields. */
export const trait = {
  authorization: 1,
  apiKey: 2,
  cookie: 4,
  /** What the client says about caching. */
  directives: 8,
  /** A condition that only the service decides: it is left to it. */
  precondition: 16,
  /** What some services take for the method. */
  method: 32,
  /** What some services take for a part of the URL. */
  url: 64,
  /** The same, where a trusted proxy set it; from others it does not reach a service. */
  proxied: 128,
} as const

const names: Readonly<Record<keyof typeof trait, readonly string[]>> = {
  authorization: ['authorization'],
  apiKey: ['x-api-key'],
  cookie: ['cookie'],
  directives: ['cache-control', 'pragma'],
  precondition: ['if-match', 'if-unmodified-since'],
  method: ['x-http-method-override', 'x-http-method', 'x-method-override'],
  url: [
    'x-original-url',
    'x-rewrite-url',
    'x-original-uri',
    'x-original-host',
    'x-original-path',
    'x-host',
    'x-http-host-override',
    'x-http-path-override',
    'x-forwarded-scheme',
    'x-forwarded-protocol',
    'x-forwarded-ssl',
    'x-forwarded-uri',
    'x-forwarded-url',
    'x-forwarded-path',
    'x-url-scheme',
    'x-scheme',
    'front-end-https',
  ],
  proxied: ['x-forwarded-host', 'forwarded'],
}

const byId = traitsById()

function traitsById(): Uint8Array {
  const pairs = Object.entries(names).flatMap(([key, list]) =>
    list.map((name) => [headerId(name), trait[key as keyof typeof trait]] as const),
  )
  const table = new Uint8Array(Math.max(...pairs.map(([id]) => id)) + 1)
  for (const [id, value] of pairs) table[id] = value
  return table
}

/** The traits of all received fields together, in either spelling (`x_original_url` too). */
export function traitsOf({ marks }: Headers): number {
  let all = 0
  for (let at = 0; at < marks.length; at += marksPerLine) {
    const id = marks[at] < 0 ? -marks[at] : marks[at]
    if (id < byId.length) all |= byId[id]
  }
  return all
}

/** What fields that some service may take for parts of the URL say, as part of a key: nobody poisons another's answer by them. */
export function saidOfUrl({ text, marks }: Headers, isProxied: boolean): string {
  const wanted = isProxied ? trait.url | trait.proxied : trait.url
  let said = ''
  for (let at = 0; at < marks.length; at += marksPerLine) {
    const id = Math.abs(marks[at])
    if (id >= byId.length || (byId[id] & wanted) === 0) continue
    const value = text.slice(marks[at + 3], marks[at + 4])
    said += `\n>${headerName(id)}:${id === H.forwarded ? hostsOf(value) : value}`
  }
  return said
}

/** Of `Forwarded` (RFC 7239) only this names parts of a URL; who forwarded for whom does not. */
function hostsOf(forwarded: string): string {
  return (forwarded.match(/(?:host|proto)[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^;,]*)/gi) ?? []).join(';')
}
