import type { PeerCertificate } from 'node:tls'

/** By what a certificate may be known; the first kind that leads to somebody counts. */
export const certificateNameKinds = ['fingerprint', 'uri', 'dns', 'email', 'commonName'] as const
export type CertificateNameKind = (typeof certificateNameKinds)[number]

/** What a certificate says of its holder, each kind in the order of the certificate. */
export type CertificateNames = Readonly<Record<CertificateNameKind, readonly string[]>>

const kinds: Readonly<Record<string, CertificateNameKind>> = { URI: 'uri', DNS: 'dns', email: 'email' }

/**
 * Names of a client's certificate: the SHA-256 of the whole (hex, lower case), those of its subjectAltName, and its common
 * name, if it has exactly one. An entry that could be read in two ways is not among them.
 */
export function certificateNames(certificate: PeerCertificate): CertificateNames {
  const names = { fingerprint: [fingerprintOf(certificate)], uri: [], dns: [], email: [], commonName: [] } as Record<
    CertificateNameKind,
    string[]
  >
  for (const [prefix, value] of alternativeNames(certificate.subjectaltname ?? '')) {
    const kind = kinds[prefix]
    if (kind !== undefined) names[kind].push(kind === 'dns' ? value.toLowerCase() : value)
  }
  // Node gives a list where there are several: nobody can tell which is meant.
  const commonName: unknown = (certificate.subject as PeerCertificate['subject'] | undefined)?.CN
  if (typeof commonName === 'string' && isPlain(commonName)) names.commonName.push(commonName)
  return names
}

/** The SHA-256 of a certificate: hex, lower case, without colons. */
export function fingerprintOf({ fingerprint256 }: PeerCertificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}

/** Entries as Node prints them, `DNS:a, URI:b`; a value with a comma or a quote stands in quotes, as JSON. */
function alternativeNames(text: string): [string, string][] {
  const entries: [string, string][] = []
  let at = 0
  while (at < text.length) {
    const colon = text.indexOf(':', at)
    if (colon === -1) return entries
    const prefix = text.slice(at, colon)
    const isQuoted = text.charCodeAt(colon + 1) === quote
    const end = isQuoted ? endOfQuoted(text, colon + 1) : endOfPlain(text, colon + 1)
    const value = isQuoted ? unquoted(text.slice(colon + 1, end)) : text.slice(colon + 1, end)
    if (value !== undefined && isPlain(value)) entries.push([prefix, value])
    at = end + 2
  }
  return entries
}

const quote = 34

function endOfPlain(text: string, from: number): number {
  const end = text.indexOf(', ', from)
  return end === -1 ? text.length : end
}

function endOfQuoted(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text.charCodeAt(i) === quote) return i + 1
  }
  return text.length
}

function unquoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether a name can become a subject: what no header or log could carry is nobody's name. */
function isPlain(value: string): boolean {
  return value.length <= 255 && /^[\x20-\x7e]*[\x21-\x7e]$/.test(value) && !value.startsWith(' ')
}
