import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

/** What an authenticator does, or is made to do wrongly. */
export interface CeremonyFaults {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly isUnverified?: boolean
  readonly isFramed?: boolean
  readonly counter?: number
  readonly handle?: string
  /** Comes with an attestation by certificates, which nobody asked for. */
  readonly isAttested?: boolean
  /** Signs with another key. */
  readonly key?: KeyObject
}

/** A passkey in memory, as an authenticator and a browser would use it (Web Authentication Level 3). */
export interface SoftPasskey {
  readonly id: string
  /** Of the person, as it was registered. */
  readonly handle: string
  /** The counter of the last use. */
  readonly counter: number
  /** What `navigator.credentials.create` gives. */
  readonly attestation: Record<string, unknown>
  /** What `navigator.credentials.get` gives. */
  use(challenge: string, faults?: CeremonyFaults): Record<string, unknown>
}

/** Options as the endpoints give them. */
export interface CreationOptions {
  readonly challenge: string
  readonly rp: { readonly id: string }
  readonly user: { readonly id: string }
}

/** Makes a key pair with ES256 for these options, as a browser on a page of `origin` would; `counts` where it has a counter. */
export function createSoftPasskey(
  { challenge, rp, user }: CreationOptions,
  origin: string,
  {
    counts = false,
    faults = {},
    idBytes = 32,
    id = randomBytes(idBytes),
  }: { counts?: boolean; faults?: CeremonyFaults; idBytes?: number; id?: Buffer } = {},
): SoftPasskey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const [x, y] = [Buffer.from(jwk.x!, 'base64url'), Buffer.from(jwk.y!, 'base64url')]
  const cose = cborMap([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, x],
    [-3, y],
  ])
  let counter = counts ? 1 : 0
  const length = Buffer.alloc(2)
  length.writeUInt16BE(id.length)
  const authData = Buffer.concat([authenticatorData(rp.id, counter, 0x41, faults), Buffer.alloc(16), length, id, cose])
  const attestationObject = cborMap(
    [
      ['fmt', faults.isAttested === true ? 'packed' : 'none'],
      ['attStmt', faults.isAttested === true ? attestedBy : cborMap([])],
      ['authData', authData],
    ],
    new Set(['attStmt']),
  )
  const text = id.toString('base64url')
  return {
    id: text,
    handle: user.id,
    get counter() {
      return counter
    },
    attestation: {
      id: text,
      rawId: text,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: clientData('webauthn.create', challenge, origin, faults),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal'],
      },
    },
    use(asked, wrong = {}) {
      if (counts) counter++
      const data = authenticatorData(rp.id, wrong.counter ?? counter, 0x01, wrong)
      const said = clientData('webauthn.get', asked, origin, wrong)
      const hash = createHash('sha256').update(Buffer.from(said, 'base64url')).digest()
      const signature = createSign('sha256')
        .update(data)
        .update(hash)
        .sign(wrong.key ?? privateKey)
      return {
        id: text,
        rawId: text,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: said,
          authenticatorData: data.toString('base64url'),
          signature: signature.toString('base64url'),
          userHandle: wrong.handle ?? user.id,
        },
      }
    },
  }
}

/** `{ x5c: [ h'00' ] }`. */
const attestedBy = cborMap([['x5c', Buffer.concat([cborHead(4, 1), cborItem(Buffer.alloc(1))])]], new Set(['x5c']))

/** Flags: 1 somebody was there, 4 and was verified, 64 a key follows. */
function authenticatorData(rpId: string, counter: number, flags: number, faults: CeremonyFaults): Buffer {
  const tail = Buffer.alloc(5)
  tail[0] = faults.isUnverified === true ? flags : flags | 0x04
  tail.writeUInt32BE(counter, 1)
  return Buffer.concat([
    createHash('sha256')
      .update(faults.rpId ?? rpId)
      .digest(),
    tail,
  ])
}

function clientData(type: string, challenge: string, origin: string, faults: CeremonyFaults): string {
  const data = {
    type: faults.type ?? type,
    challenge: faults.challenge ?? challenge,
    origin: faults.origin ?? origin,
    crossOrigin: faults.isFramed ?? false,
  }
  return Buffer.from(JSON.stringify(data)).toString('base64url')
}

/** A small CBOR map of numbers, texts and bytes (RFC 8949); `encoded` names values that are CBOR already. */
function cborMap(entries: readonly (readonly [number | string, number | string | Buffer])[], encoded = new Set<string>()): Buffer {
  const parts = entries.flatMap(([key, value]) => [
    cborItem(key),
    typeof key === 'string' && encoded.has(key) ? (value as Buffer) : cborItem(value),
  ])
  return Buffer.concat([cborHead(5, entries.length), ...parts])
}

function cborItem(value: number | string | Buffer): Buffer {
  if (typeof value === 'number') return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value)
  const bytes = Buffer.from(value as string)
  return Buffer.concat([cborHead(typeof value === 'string' ? 3 : 2, bytes.length), bytes])
}

function cborHead(major: number, n: number): Buffer {
  if (n < 24) return Buffer.from([(major << 5) | n])
  if (n < 256) return Buffer.from([(major << 5) | 24, n])
  return Buffer.from([(major << 5) | 25, n >> 8, n & 255])
}
