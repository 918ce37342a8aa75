import { H, headerId, headerName } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'
import { marksPerLine } from '../core/headers.ts'

/** What a request field may be to a service besides what this cache takes it for. */
export const trait = {
  /** The client's own credential. */
  authorization: 1,
  apiKey: 16,
  /** A part of the URL. */
  url: 2,
  /** The same, where a trusted proxy set it; from others it does not reach a service. */
  proxied: 4,
  /** The method. */
  method: 8,
} as const

const traits: readonly (readonly [name: string, trait: number])[] = [
  ['authorization', trait.authorization],
  ['x-api-key', trait.apiKey],
  ['x-original-url', trait.url],
  ['x-rewrite-url', trait.url],
  ['x-original-uri', trait.url],
  ['x-original-host', trait.url],
  ['x-original-path', trait.url],
  ['x-host', trait.url],
  ['x-http-host-override', trait.url],
  ['x-http-path-override', trait.url],
  ['x-forwarded-scheme', trait.url],
  ['x-forwarded-protocol', trait.url],
  ['x-forwarded-ssl', trait.url],
  ['x-forwarded-uri', trait.url],
  ['x-forwarded-url', trait.url],
  ['x-forwarded-path', trait.url],
  ['x-url-scheme', trait.url],
  ['x-scheme', trait.url],
  ['front-end-https', trait.url],
  ['x-forwarded-host', trait.proxied],
  ['forwarded', trait.proxied],
  ['x-http-method-override', trait.method],
  ['x-http-method', trait.method],
  ['x-method-override', trait.method],
]
const ids = traits.map(([name]) => headerId(name))
const byId = new Uint8Array(Math.max(...ids) + 1)
for (const [i, id] of ids.entries()) byId[id] = traits[i][1]

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
