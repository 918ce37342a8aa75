import { Fault } from '../../core/fault.ts'

/** What stands in the query of a GET. */
export interface GetMessage {
  readonly bytes: Buffer
  readonly encoding: string
  readonly compression: string
}

/** Reads the message of a GET. Throws `malformed`. */
export function readGetMessage(query: string): GetMessage {
  const fields = new Map<string, string>()
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const name = equals === -1 ? part : part.slice(0, equals)
    if (!known.has(name)) continue
    if (fields.has(name)) throw new Fault('malformed', `the parameter ${name} is given twice`)
    fields.set(name, equals === -1 ? '' : part.slice(equals + 1))
  }
  const version = fields.get('connect')
  if (version !== undefined && version !== 'v1') throw new Fault('malformed', 'the parameter connect is not v1')
  const encoding = fields.get('encoding')
  if (encoding !== 'json' && encoding !== 'proto') throw new Fault('malformed', 'the parameter encoding is neither json nor proto')
  const message = fields.get('message')
  if (message === undefined) throw new Fault('malformed', 'the parameter message is missing')
  const base64 = fields.get('base64')
  if (base64 !== undefined && base64 !== '1') throw new Fault('malformed', 'the parameter base64 is not 1')
  const bytes = unescaped(message)
  return { bytes: base64 === '1' ? decoded(bytes) : bytes, encoding, compression: fields.get('compression') ?? 'identity' }
}

const known = new Set(['connect', 'encoding', 'message', 'base64', 'compression'])

/** Percent-encoding undone, with "+" for a space, as clients that build queries by URLSearchParams write it. */
function unescaped(text: string): Buffer {
  const spaced = text.replaceAll('+', ' ')
  if (!spaced.includes('%')) return Buffer.from(spaced)
  const bytes: Buffer[] = []
  // Every other part is one of escapes.
  for (const [i, part] of spaced.split(/((?:%[0-9A-Fa-f]{2})+)/).entries()) {
    if (i % 2 === 1) bytes.push(Buffer.from(part.replaceAll('%', ''), 'hex'))
    else if (part.includes('%')) throw new Fault('malformed', 'the parameter message has a broken percent-encoding')
    else bytes.push(Buffer.from(part))
  }
  return Buffer.concat(bytes)
}

const base64Form = /^[A-Za-z0-9_+/-]*={0,2}$/

/** Base64 in either alphabet, padding optional. */
function decoded(bytes: Buffer): Buffer {
  // A "+" of the standard alphabet that nobody escaped has become a space.
  const text = bytes.toString('latin1').replaceAll(' ', '+')
  if (!base64Form.test(text) || text.replace(/=+$/, '').length % 4 === 1)
    throw new Fault('malformed', 'the parameter message is not base64')
  return Buffer.from(text, 'base64')
}
