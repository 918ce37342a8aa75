import { createHash, createPrivateKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import type { Following, StoredRecord, Stores } from '../core/stores.ts'
import type { Audit } from './audit.ts'
import type { OwnAlgorithm } from './identity-spec.ts'
import type { PublicKey } from './jwk-set.ts'
import { overlapMs, scheduleOf } from './key-schedule.ts'
import type { ScheduledKey } from './key-schedule.ts'
import type { DerivedKeys } from './sealing.ts'
import { seal, unseal } from './sealing.ts'

/** The topic on which nodes tell each other that the keys in the store have changed. */
const changedTopic = 'identity.signing-keys'
const schema = 1
const generatePair = promisify(generateKeyPair)
const lookEveryMs = 60_000
const maxKeys = 50

/** A key as it is used: the private half only where it could be unsealed. */
export interface SigningKey extends ScheduledKey {
  readonly publicKey: PublicKey
  /** PKCS #8, DER. */
  readonly privateKey: Uint8Array | undefined
}

/** Keys as workers get them: to sign with, and to publish. */
export interface SigningState {
  readonly version: number
  /** Every key that may sign now or later, with its private half. */
  readonly signers: readonly SigningKey[]
  readonly published: readonly PublicKey[]
}

export interface SigningKeysOptions {
  readonly stores: Stores
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly secrets: DerivedKeys
  readonly algorithm: OwnAlgorithm
  /** The longest time that anything signed may live. */
  readonly longestTtlMs: number
  /** Grows with every change of any keys of the node, so that messages that overtook each other are told apart. */
  readonly nextVersion: () => number
  /** The keys are others than before. */
  readonly changed: (state: SigningState) => void
}

/**
 * Velum's signing keys, kept by main: made when there is none, sealed in the store, rotated in time and on demand,
 * removed when nothing they signed can be valid any more. While the store is down, what was loaded stays in use.
 */
export class SigningKeys implements Closable {
  readonly #options: SigningKeysOptions
  #keys: readonly SigningKey[] = []
  #state: SigningState = { version: 0, signers: [], published: [] }
  #shown = ''
  #following: Following | undefined
  #timer: Timer | undefined
  #tail: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: SigningKeysOptions) {
    this.#options = options
  }

  /** Loads the keys, and makes the first. Rejects with `store-down` when that is not possible. */
  async open(): Promise<void> {
    this.#following = await this.#options.stores.bus.follow({
      reload: (_live, isFirst) => {
        if (!isFirst) void this.refresh().catch(() => undefined)
      },
      hear: ({ topic }) => {
        if (topic === changedTopic) void this.refresh().catch(() => undefined)
      },
    })
    await this.refresh()
    this.#lookLater()
  }

  get state(): SigningState {
    return this.#state
  }

  /** Reads the store again; one reading at a time. Rejects with `store-down`, keeping what is known. */
  refresh(): Promise<void> {
    const done = this.#tail.then(() => this.#look())
    this.#tail = done.catch(() => undefined)
    return done
  }

  /** Makes a new key, which takes over once everybody can have read it. Returns its id. */
  async rotate(): Promise<string> {
    const kid = await this.#make(this.#keys.length === 0 ? 0 : overlapMs)
    await this.refresh()
    return kid
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#following?.stop()
  }

  #lookLater(): void {
    if (this.#isClosed) return
    this.#timer = this.#options.clock.after(lookEveryMs, () => {
      this.refresh()
        .catch((error: unknown) =>
          this.#options.log.warn('the signing keys could not be read again: the known ones stay in use', { error }),
        )
        .finally(() => this.#lookLater())
    })
  }

  async #look(): Promise<void> {
    const { stores, clock, algorithm, longestTtlMs, audit } = this.#options
    await this.#load()
    let plan = scheduleOf(this.#usable(), clock.now(), algorithm, longestTtlMs)
    if (plan.isDue) {
      await this.#make(plan.signer === undefined ? 0 : overlapMs)
      await this.#load()
      plan = scheduleOf(this.#usable(), clock.now(), algorithm, longestTtlMs)
    }
    for (const { kid } of scheduleOf(this.#keys, clock.now(), algorithm, longestTtlMs).removable) {
      if ((await stores.records.remove('signing-key', kid)) !== undefined) audit.write('key-removed', { kid })
    }
    this.#show()
  }

  /** Those that this node can sign with; a key sealed by a secret that is gone is published until its time is up. */
  #usable(): readonly SigningKey[] {
    return this.#keys.filter(({ privateKey }) => privateKey !== undefined)
  }

  #show(): void {
    const { clock, algorithm, longestTtlMs } = this.#options
    const { removable } = scheduleOf(this.#keys, clock.now(), algorithm, longestTtlMs)
    const live = this.#keys.filter((key) => !removable.includes(key))
    const shown = JSON.stringify(live.map(({ kid, privateKey }) => [kid, privateKey !== undefined]))
    if (shown === this.#shown) return
    this.#shown = shown
    this.#state = {
      version: this.#options.nextVersion(),
      signers: live.filter(({ privateKey }) => privateKey !== undefined),
      published: live.map(({ publicKey }) => publicKey),
    }
    this.#options.changed(this.#state)
  }

  async #load(): Promise<void> {
    const keys: SigningKey[] = []
    let cursor = ''
    do {
      const page = await this.#options.stores.records.list('signing-key', cursor, maxKeys)
      for (const record of page.records) {
        const key = this.#keys.find(({ kid }) => kid === record.id) ?? this.#open(record)
        if (key !== undefined && keys.length < maxKeys) keys.push(key)
      }
      cursor = page.next
    } while (cursor !== '')
    this.#keys = keys
  }

  #open(record: StoredRecord): SigningKey | undefined {
    const { algorithm, jwk, sealed, activeAt } = record.value as {
      algorithm: OwnAlgorithm
      jwk: PublicKey['jwk']
      sealed: string
      activeAt: number
    }
    const kid = record.id
    const opened = unseal(sealed, `signing-key ${kid}`, this.#options.secrets)
    if (opened === undefined) {
      this.#options.log.error('a signing key was sealed by another secret and cannot be used: is `secret` the same on all nodes?', {
        kid,
      })
    }
    const privateKey = opened === undefined ? undefined : new Uint8Array(opened)
    return { kid, algorithm, activeAt, publicKey: { kid, algorithm, jwk }, privateKey }
  }

  async #make(delayMs: number): Promise<string> {
    const { stores, clock, algorithm, secrets, audit, log } = this.#options
    const { privateKey, jwk } = await newPair(algorithm)
    const kid = thumbprint(jwk)
    const activeAt = clock.now() + delayMs
    const value = { algorithm, jwk, sealed: seal(privateKey, `signing-key ${kid}`, secrets), activeAt }
    await stores.records.create({ kind: 'signing-key', id: kid, owner: '', value, schema, expiresAt: Infinity })
    await stores.bus.append({ topic: changedTopic, key: '', data: kid, keepUntil: 0 })
    audit.write('key-made', { kid, algorithm, activeAt: new Date(activeAt).toISOString() })
    log.info('a signing key was made', { kid, algorithm, activeAt: new Date(activeAt).toISOString() })
    return kid
  }
}

/** Off the main thread: an RSA key takes up to a second, for which nobody would hear from it. */
async function newPair(algorithm: OwnAlgorithm): Promise<{ privateKey: Buffer; jwk: Record<string, string> }> {
  const encoding = {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  } as const
  const pair =
    algorithm === 'RS256'
      ? await generatePair('rsa', { modulusLength: 2048, ...encoding })
      : algorithm === 'EdDSA'
        ? await generatePair('ed25519', encoding)
        : await generatePair('ec', { namedCurve: 'P-256', ...encoding })
  const whole = createPrivateKey({ key: pair.privateKey, type: 'pkcs8', format: 'der' }).export({ format: 'jwk' })
  const jwk: Record<string, string> = {}
  for (const name of ['crv', 'e', 'kty', 'n', 'x', 'y']) {
    const member = (whole as Readonly<Record<string, unknown>>)[name]
    if (typeof member === 'string') jwk[name] = member
  }
  return { privateKey: pair.privateKey, jwk }
}

/** The id of a key: its thumbprint (RFC 7638), so that it names the key and nothing else. */
function thumbprint(jwk: Readonly<Record<string, string>>): string {
  const required = jwk['kty'] === 'RSA' ? ['e', 'kty', 'n'] : jwk['kty'] === 'EC' ? ['crv', 'kty', 'x', 'y'] : ['crv', 'kty', 'x']
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(required.map((name) => [name, jwk[name]]))))
    .digest('base64url')
}
