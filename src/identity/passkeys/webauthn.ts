import type * as webauthn from '@simplewebauthn/server'
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { decodeBase64url } from '../../lib/base64url.ts'
import { parseStrictJson } from '../../lib/strict-json.ts'
import type { PasskeySpec } from '../identity-spec.ts'
import { isObject } from '../../lib/is-object.ts'

/** How long somebody may take with an authenticator. */
export const ceremonyMs = 300_000
/** EdDSA, ES256, RS256: what this gateway registers, on whatever runtime. */
const algorithms = [-8, -7, -257]
const maxTextLength = 16 * 1024

/** What a browser says of a ceremony, before anything of it is believed. */
export interface ClientWord {
  readonly challenge: string
  /** Whether the page stood in a frame of another origin. */
  readonly isFramed: boolean
}

/** A credential that has the form of one; its fields are texts, and nothing of them is proved. */
interface Presented<T> {
  readonly response: T
  readonly word: ClientWord
}

/** A key pair just made by an authenticator, proved to be meant for us. */
export interface NewKey {
  readonly credential: string
  readonly publicKey: string
  readonly counter: number
  readonly isSynced: boolean
}

/** Loaded with the first passkey: most gateways serve none, and none at their start. */
function library(): Promise<typeof webauthn> {
  return import('@simplewebauthn/server')
}

/** What `navigator.credentials.get` is called with: no credential is named, so the person chooses. */
export async function loginOptions(spec: PasskeySpec, challenge: string): Promise<unknown> {
  const { generateAuthenticationOptions } = await library()
  return generateAuthenticationOptions({
    rpID: spec.rpId,
    challenge: bytesOf(challenge),
    timeout: ceremonyMs,
    userVerification: 'required',
  })
}

/** Whom a new passkey is for. */
export interface Registrant {
  readonly userName: string
  readonly handle: string
  readonly known: readonly { readonly credential: string; readonly transports: readonly string[] }[]
}

/** What `navigator.credentials.create` is called with. No attestation: what it would prove is not asked for. */
export async function registrationOptions(
  spec: PasskeySpec,
  challenge: string,
  { userName, handle, known }: Registrant,
): Promise<unknown> {
  const { generateRegistrationOptions } = await library()
  return generateRegistrationOptions({
    rpID: spec.rpId,
    rpName: spec.name,
    userName,
    userDisplayName: userName,
    userID: bytesOf(handle),
    challenge: bytesOf(challenge),
    timeout: ceremonyMs,
    attestationType: 'none',
    excludeCredentials: known.map(({ credential, transports }) => ({ id: credential, transports: [...transports] })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    supportedAlgorithmIDs: algorithms,
  })
}

/** Reads what `navigator.credentials.get` gave; undefined for what has not its form. */
export function readAssertion(value: unknown): Presented<AuthenticationResponseJSON> | undefined {
  return read<AuthenticationResponseJSON>(value, ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle'])
}

/** Reads what `navigator.credentials.create` gave; undefined for what has not its form. */
export function readAttestation(value: unknown): Presented<RegistrationResponseJSON> | undefined {
  return read<RegistrationResponseJSON>(value, ['clientDataJSON', 'attestationObject'])
}

/**
 * Proves that the owner of `publicKey`, verified by the authenticator, answered this challenge for our domain on one of our
 * origins (Web Authentication Level 3 §7.2). Gives the counter; undefined where anything does not fit.
 */
export async function verifyAssertion(
  { response, word }: Presented<AuthenticationResponseJSON>,
  publicKey: string,
  spec: PasskeySpec,
): Promise<{ readonly counter: number } | undefined> {
  const { verifyAuthenticationResponse } = await library()
  if (word.isFramed) return undefined
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: word.challenge,
      expectedOrigin: [...spec.origins],
      expectedRPID: spec.rpId,
      requireUserVerification: true,
      // Counters are judged by the store, after the signature: only its owner may get a passkey blocked.
      credential: { id: response.id, publicKey: bytesOf(publicKey), counter: 0 },
    })
    return verified ? { counter: authenticationInfo.newCounter } : undefined
  } catch {
    return undefined
  }
}

/** Proves the same of a registration (§7.1); undefined where anything does not fit. */
export async function verifyAttestation(
  { response, word }: Presented<RegistrationResponseJSON>,
  spec: PasskeySpec,
): Promise<NewKey | undefined> {
  const { verifyRegistrationResponse } = await library()
  try {
    if (word.isFramed || !(await isPlain(response.response.attestationObject))) return undefined
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: word.challenge,
      expectedOrigin: [...spec.origins],
      expectedRPID: spec.rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
    })
    if (!verified) return undefined
    const { credential, credentialDeviceType } = registrationInfo
    // The id in the signed part counts; a browser that says another one is confused or lying.
    if (credential.id !== response.id) return undefined
    const publicKey = Buffer.from(credential.publicKey).toString('base64url')
    return { credential: credential.id, publicKey, counter: credential.counter, isSynced: credentialDeviceType === 'multiDevice' }
  } catch {
    return undefined
  }
}

/** Whether there is no attestation, or one by the key itself: chains of certificates nobody asked for are not even read. */
async function isPlain(attestationObject: string): Promise<boolean> {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers')
  const decoded = decodeAttestationObject(bytesOf(attestationObject))
  const format = decoded.get('fmt')
  return format === 'none' || (format === 'packed' && decoded.get('attStmt').get('x5c') === undefined)
}

function read<T>(value: unknown, fields: readonly string[]): Presented<T> | undefined {
  if (!isObject(value) || !isObject(value['response'])) return undefined
  const { id, rawId, type, response } = value
  if (type !== 'public-key' || !isBase64url(id) || id !== rawId) return undefined
  const own: Record<string, unknown> = {}
  for (const field of fields) {
    const part: unknown = response[field]
    if (!isBase64url(part)) return undefined
    own[field] = part
  }
  const transports: unknown = response['transports']
  if (Array.isArray(transports)) own['transports'] = transports.filter(isTransport).slice(0, 8)
  const word = clientWord(own['clientDataJSON'] as string)
  if (word === undefined) return undefined
  return { response: { id, rawId, type, response: own, clientExtensionResults: {} } as T, word }
}

function clientWord(clientDataJSON: string): ClientWord | undefined {
  const said = parseStrictJson(Buffer.from(clientDataJSON, 'base64url'))
  if (!isObject(said) || typeof said['challenge'] !== 'string') return undefined
  return { challenge: said['challenge'], isFramed: said['crossOrigin'] === true || said['topOrigin'] !== undefined }
}

function isTransport(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z-]{1,16}$/.test(value)
}

function isBase64url(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxTextLength && decodeBase64url(value) !== undefined
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}
