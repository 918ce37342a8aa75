import { createPrivateKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { OwnAlgorithm } from './identity-spec.ts'
import type { DerivedKeys } from './sealing.ts'
import type { SigningState } from './signing-keys.ts'
import { scheduleOf } from './key-schedule.ts'

/** The topic on which workers ask main for what they sign with, and hear of changes (`SignerState` both ways). */
export const signingTopic = 'identity.signing'

/** What a worker signs, seals and authenticates with. It stays inside the process. */
export interface SignerState extends SigningState {
  readonly issuer: string
  readonly secrets: DerivedKeys
}

/** A private key, ready. */
export interface ReadyKey {
  readonly kid: string
  readonly algorithm: OwnAlgorithm
  readonly activeAt: number
  /** The signature of a JWS over this text (RFC 7515 §5.1), in base64url. */
  sign(front: string): string
}

const retryMs = 500

/** A worker's copy of the signing keys: asks main at once, hears of changes, picks the one that signs now. */
export class Signer implements Closable {
  readonly #link: Link
  readonly #clock: Clock
  readonly #log: Log
  readonly #algorithm: OwnAlgorithm
  readonly #issuer: string
  readonly #stopHearing: () => void
  readonly #loaded: Promise<void>
  #ready: readonly ReadyKey[] = []
  #current: ReadyKey | undefined
  /** When the current one must be picked anew. */
  #pickAt = 0
  #state: SignerState | undefined
  #keySet = ''
  #isClosed = false

  constructor(issuer: string, algorithm: OwnAlgorithm, link: Link, clock: Clock, log: Log) {
    this.#issuer = issuer
    this.#algorithm = algorithm
    this.#link = link
    this.#clock = clock
    this.#log = log
    this.#stopHearing = link.hear(signingTopic, (message) => this.#take(message as SignerState))
    this.#loaded = this.#ask()
  }

  /** Resolves when main has given the keys; asks for ever. */
  get loaded(): Promise<void> {
    return this.#loaded
  }

  /** What seals and authenticates refresh tokens; undefined until loaded. */
  get secrets(): DerivedKeys | undefined {
    return this.#state?.secrets
  }

  /** The published keys as a JWK set (RFC 7517 §5), as text; undefined until loaded. */
  get keySet(): string | undefined {
    return this.#state === undefined ? undefined : this.#keySet
  }

  /** The key that signs now; undefined while there is none. */
  current(): ReadyKey | undefined {
    const now = this.#clock.now()
    if (now < this.#pickAt) return this.#current
    this.#current = scheduleOf(this.#ready, now, this.#algorithm, 0).signer
    // The next one in line takes over at a moment that is known; look again after a second at the latest.
    this.#pickAt = now + 1000
    return this.#current
  }

  close(): void {
    this.#isClosed = true
    this.#stopHearing()
  }

  async #ask(): Promise<void> {
    while (!this.#isClosed) {
      try {
        this.#take((await this.#link.ask(signingTopic, this.#issuer)) as SignerState)
        return
      } catch (thrown) {
        this.#log.warn('the signing keys could not be asked for', { error: String(thrown) })
        await new Promise<void>((resolve) => void this.#clock.after(retryMs, resolve))
      }
    }
  }

  #take(state: SignerState): void {
    if (state.issuer !== this.#issuer || (this.#state !== undefined && state.version < this.#state.version)) return
    this.#ready = state.signers.map(({ kid, algorithm, activeAt, privateKey }) => readyKey(kid, algorithm, activeAt, privateKey!))
    this.#keySet = JSON.stringify({
      keys: state.published.map(({ kid, algorithm, jwk }) => ({ ...jwk, kid, alg: algorithm, use: 'sig' })),
    })
    this.#state = state
    this.#pickAt = 0
  }
}

function readyKey(kid: string, algorithm: OwnAlgorithm, activeAt: number, pkcs8: Uint8Array): ReadyKey {
  const key: KeyObject = createPrivateKey({ key: Buffer.from(pkcs8), type: 'pkcs8', format: 'der' })
  const digest = algorithm === 'EdDSA' ? null : 'sha256'
  const input = algorithm === 'ES256' ? ({ key, dsaEncoding: 'ieee-p1363' } as const) : key
  return { kid, algorithm, activeAt, sign: (front) => sign(digest, Buffer.from(front, 'latin1'), input).toString('base64url') }
}
