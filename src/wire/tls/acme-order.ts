import { AsyncLocalStorage } from 'node:async_hooks'
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type * as Acme from 'acme-client'
import { readBoundedBody } from '../../lib/bounded-body.ts'
import { parseRetryAfter } from '../../lib/retry-after.ts'
import { parseCertificate } from './certificate.ts'
import type { CertificateMaterial } from './tls-spec.ts'

/** What an authority asks for under `/.well-known/acme-challenge/` (RFC 8555 §8.3). */
export interface AcmeChallenge {
  readonly token: string
  readonly answer: string
}

/** An account with an authority. */
export interface AcmeAccount {
  /** PEM. */
  readonly key: string
  /** Undefined: the authority is asked for it, and makes one where there is none. */
  readonly url: string | undefined
}

export interface AcmeOrderOptions {
  readonly directory: string
  readonly email: string
  readonly account: AcmeAccount
  readonly name: string
  /** How the authority is reached. */
  readonly fetch: typeof globalThis.fetch
  /** Resolves when whoever asks for the token gets the answer. */
  readonly present: (challenge: AcmeChallenge) => Promise<void>
  readonly retract: (challenge: AcmeChallenge) => Promise<void>
  /** Ends it. */
  readonly signal: AbortSignal
}

/** What came of an order. */
export interface AcmeIssued {
  readonly material: CertificateMaterial
  readonly accountUrl: string
  /** The terms that were agreed to with a new account; undefined when there are none, or the account was known. */
  readonly terms: string | undefined
}

/** An order that failed, in words; and how long the authority wants to be left alone. */
export class AcmeRefusal extends Error {
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs: number, options?: { cause: unknown }) {
    super(message, options)
    this.name = 'AcmeRefusal'
    this.retryAfterMs = retryAfterMs
  }
}

/** Orders one certificate by HTTP-01. Rejects with an `AcmeRefusal`. */
export type OrderCertificate = (options: AcmeOrderOptions) => Promise<AcmeIssued>

/** A key for an account or a certificate: EC P-256, PKCS #8 in PEM. */
export async function newAcmeKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return privateKey
}

interface Talk {
  readonly fetch: typeof globalThis.fetch
  readonly signal: AbortSignal
  retryAfterMs: number
}

/** The conversation that a call of the library belongs to: it has one way out for all of its clients. */
const talk = new AsyncLocalStorage<Talk>()

/** See `OrderCertificate`. Naming an authority in the configuration agrees to its terms. */
export const orderCertificate: OrderCertificate = async (options) => {
  const acme = await loadAcme()
  const own: Talk = { fetch: options.fetch, signal: options.signal, retryAfterMs: 0 }
  const ended = new Promise<never>((_, reject) => {
    options.signal.addEventListener('abort', () => reject(new Error('the order took too long')), { once: true })
  })
  try {
    options.signal.throwIfAborted()
    return await Promise.race([talk.run(own, () => order(acme, options)), ended])
  } catch (thrown) {
    throw new AcmeRefusal(wordsOf(thrown), own.retryAfterMs, { cause: thrown })
  }
}

async function order(acme: AcmeLibrary, options: AcmeOrderOptions): Promise<AcmeIssued> {
  const { directory, account, name, email, present, retract } = options
  const client = new acme.Client({
    directoryUrl: directory,
    accountKey: account.key,
    ...(account.url === undefined ? {} : { accountUrl: account.url }),
    // How often an order under way is looked at: for a minute and a half at most.
    backoffAttempts: 24,
    backoffMin: 250,
    backoffMax: 5000,
  })
  let terms: string | undefined
  if (account.url === undefined) {
    terms = (await client.getTermsOfServiceUrl()) || undefined
    await client.createAccount({ termsOfServiceAgreed: true, contact: [`mailto:${email}`] })
  }
  const wanted = await client.createOrder({ identifiers: [{ type: 'dns', value: name }] })
  for (const authorization of await client.getAuthorizations(wanted)) await prove(client, authorization, present, retract)
  const key = await newAcmeKey()
  const [, csr] = await acme.crypto.createCsr({ altNames: [name] }, key)
  const cert = await client.getCertificate(await client.finalizeOrder(wanted, csr))
  const material = parseCertificate(cert, key, [], directory)
  if (!material.names.includes(name)) throw new Error('the authority issued a certificate for another name')
  return { material, accountUrl: client.getAccountUrl(), terms }
}

async function prove(
  client: Acme.Client,
  authorization: Acme.Authorization,
  present: AcmeOrderOptions['present'],
  retract: AcmeOrderOptions['retract'],
): Promise<void> {
  // One that was proven a while ago still counts.
  if (authorization.status === 'valid') return
  const challenge = authorization.challenges.find(({ type }) => type === 'http-01')
  if (challenge === undefined) throw new Error('the authority does not take a proof by HTTP for this name')
  const shown = { token: challenge.token, answer: await client.getChallengeKeyAuthorization(challenge) }
  try {
    await present(shown)
    await client.completeChallenge(challenge)
    await client.waitForValidStatus(challenge)
  } finally {
    await retract(shown)
  }
}

type AcmeLibrary = Pick<typeof Acme, 'Client' | 'crypto' | 'axios'>

let loaded: Promise<AcmeLibrary> | undefined

/** Loaded only where something is ordered: it costs some 100 ms. */
function loadAcme(): Promise<AcmeLibrary> {
  loaded ??= (async (): Promise<AcmeLibrary> => {
    await import('reflect-metadata') // what the next line needs
    const { default: acme } = await import('acme-client')
    // Its own transport knows no other authorities, follows proxies of the environment and repeats by itself.
    acme.axios.defaults.adapter = async (config) => {
      const { fetch, signal } = talk.getStore()!
      const response = await fetch(config.url!, {
        method: config.method!.toUpperCase(),
        headers: { ...(config.headers.toJSON() as Record<string, string>), 'user-agent': 'velum' },
        ...(typeof config.data === 'string' ? { body: config.data } : {}),
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
      })
      const headers = Object.fromEntries(response.headers)
      const { status, statusText } = response
      if (status === 429 || status === 503)
        talk.getStore()!.retryAfterMs = Math.min(parseRetryAfter(headers['retry-after'], Date.now()), dayMs)
      return { data: await textOf(response), status, statusText, headers, config }
    }
    return acme
  })()
  return loaded
}

const callMs = 20_000
const maxAnswerBytes = 262_144
const dayMs = 86_400_000

async function textOf(response: Response): Promise<string> {
  return (await readBoundedBody(response, maxAnswerBytes, () => new Error('the authority answered with too much'))).toString('utf8')
}

function wordsOf(thrown: unknown): string {
  const error = thrown as Error
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  // What an authority says ends up in logs and on screens.
  return `${error.message}${cause}`.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 400)
}
