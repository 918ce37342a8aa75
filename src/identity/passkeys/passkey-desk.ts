import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Meter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import { addressKey } from '../../lib/address.ts'
import type { Audit } from '../audit.ts'
import type { PasskeySpec } from '../identity-spec.ts'
import { LoginGuard } from '../login/login-guard.ts'
import type { LoginState, LoginStates } from '../login/login-states.ts'
import { accountOf } from '../store-accounts.ts'
import type {
  PasskeyAnswer,
  PasskeyLoginFinish,
  PasskeyQuestion,
  PasskeyRegistrationBegin,
  PasskeyRegistrationFinish,
} from './passkey-messages.ts'
import type { PasskeyStore } from './passkey-store.ts'
import { maxPasskeys, passkeyValue } from './passkey-store.ts'
import {
  ceremonyMs,
  loginOptions,
  readAssertion,
  readAttestation,
  registrationOptions,
  verifyAssertion,
  verifyAttestation,
} from './webauthn.ts'

/** Ceremonies judged at once; each is a signature to verify. */
const maxUnderWay = 100
const loginKind = 'passkey-login'
const registrationKind = 'passkey-registration'

export interface PasskeyDeskEnv {
  readonly stores: Stores
  readonly clock: Clock
  readonly meter: Meter
  readonly audit: Audit
  readonly states: LoginStates
  readonly passkeys: PasskeyStore
  readonly spec: PasskeySpec
}

type Proved = Extract<PasskeyAnswer, { kind: 'proved' }>

/** Why a login came to nothing, for the audit log; undefined where anybody could have sent that without having begun anything. */
interface Failure {
  readonly why: string | undefined
  readonly subject?: string
  readonly passkey?: string
}

/** Begins and judges passkey ceremonies for a whole node. */
export class PasskeyDesk {
  readonly #env: PasskeyDeskEnv
  readonly #guard: LoginGuard
  #underWay = 0

  constructor(env: PasskeyDeskEnv) {
    this.#env = env
    this.#guard = new LoginGuard(env.stores.records, env.clock)
  }

  /** Rejects with `store-down` and `overloaded`; whatever a client does becomes an answer. */
  async answer(question: PasskeyQuestion): Promise<PasskeyAnswer> {
    if (this.#underWay >= maxUnderWay) throw new Fault('overloaded', 'too much is under way with passkeys')
    this.#underWay++
    try {
      if (question.kind === 'begin-login') {
        const challenge = await this.#begin(loginKind, question.address, { browser: question.browser })
        return { kind: 'options', publicKey: await loginOptions(this.#env.spec, challenge) }
      }
      if (question.kind === 'finish-login') return await this.#finishLogin(question)
      if (question.kind === 'begin-registration') return await this.#beginRegistration(question)
      return await this.#finishRegistration(question)
    } finally {
      this.#underWay--
    }
  }

  /** The challenge is the id of what is kept of a ceremony: 128 bits of chance, taken out of the store once. */
  #begin(kind: string, address: string, about: LoginState): Promise<string> {
    const until = this.#env.clock.now() + ceremonyMs
    return this.#env.states.begin(kind, { ...about, until, rpId: this.#env.spec.rpId }, address)
  }

  /** What was kept, if it was begun by this browser and is not too old; or why not. */
  async #take(kind: string, challenge: string, browser: string | undefined): Promise<LoginState | Failure> {
    const state = await this.#env.states.take(kind, challenge)
    if (state === undefined) return { why: undefined }
    if (browser === undefined || state['browser'] !== browser) return { why: 'another-browser' }
    return (state['until'] as number) < this.#env.clock.now() ? { why: 'late' } : state
  }

  async #finishLogin(question: PasskeyLoginFinish): Promise<PasskeyAnswer> {
    const begun = await this.#guard.begin({ address: addressKey(question.address), account: undefined, device: undefined })
    if (typeof begun === 'number') {
      this.#count('login', 'locked')
      return { kind: 'locked', retryAfterMs: begun }
    }
    let found: Proved | Failure
    try {
      found = await this.#prove(question)
    } catch (thrown) {
      await begun.undecided()
      throw thrown
    }
    if ('kind' in found) {
      await begun.succeeded()
      this.#count('login', 'proved')
      return found
    }
    const lockMs = begun.failed()
    const { audit } = this.#env
    const facts = { ...found, methods: 'passkey', address: question.address, request: question.request }
    if (found.why !== undefined) audit.write('login-failed', facts)
    if (lockMs > 0) audit.write('login-locked', { ...facts, forMs: Math.ceil(lockMs) })
    this.#count('login', 'refused')
    return { kind: 'refused' }
  }

  async #prove({ credential, browser }: PasskeyLoginFinish): Promise<Proved | Failure> {
    const { stores, audit, passkeys, spec } = this.#env
    const presented = readAssertion(credential)
    if (presented === undefined) return { why: undefined }
    const state = await this.#take(loginKind, presented.word.challenge, browser)
    if (isFailure(state)) return state
    const record = await passkeys.find(presented.response.id)
    if (record === undefined) return { why: 'unknown-passkey' }
    const { id: passkey, owner: subject } = record
    const value = passkeyValue(record)
    const failed = (why: string): Failure => ({ why, subject, passkey })
    const verified = await verifyAssertion(presented, value.publicKey, spec)
    if (verified === undefined) return failed('not-verified')
    if (presented.response.response.userHandle !== value.handle) return failed('another-person')
    // The generation comes before the account: what is changed later raises it.
    const generation = await stores.generations.of(subject)
    const account = accountOf(await stores.records.get('user', subject))
    if (account === undefined || !account.isEnabled) return failed('disabled')
    const use = await passkeys.used(record, verified.counter)
    if (use === 'gone') return failed('unknown-passkey')
    if (use === 'blocked') {
      if (value.isBlocked !== true)
        audit.write('passkey-blocked', { subject, passkey, counter: verified.counter, last: value.counter })
      return failed('counter')
    }
    // RFC 8176: a key in hardware, or one that a service copies to other devices; and the person was verified by another factor.
    return { kind: 'proved', account, generation, methods: [value.isSynced ? 'swk' : 'hwk', 'mfa'] }
  }

  async #beginRegistration(question: PasskeyRegistrationBegin): Promise<PasskeyAnswer> {
    const { stores, passkeys, spec } = this.#env
    const { subject, session, browser, address } = question
    const [user, known, linked] = await Promise.all([
      stores.records.get('user', subject),
      passkeys.owned(subject),
      passkeys.linkedIssuers(subject),
    ])
    if (accountOf(user)?.isEnabled !== true) return { kind: 'refused' }
    // A passkey here would outlive what the provider says of the person.
    if (linked.length > 0) return { kind: 'elsewhere' }
    if (known.length >= maxPasskeys) return { kind: 'full' }
    const values = known.map(passkeyValue)
    const handle = values[0]?.handle ?? randomBytes(32).toString('base64url')
    const challenge = await this.#begin(registrationKind, address, { browser, subject, session, handle })
    const name = user!.value['name']
    const userName = typeof name === 'string' ? name : subject
    return { kind: 'options', publicKey: await registrationOptions(spec, challenge, { userName, handle, known: values }) }
  }

  async #finishRegistration(question: PasskeyRegistrationFinish): Promise<PasskeyAnswer> {
    const answer = await this.#register(question)
    this.#count('registration', answer.kind)
    return answer
  }

  async #register({ subject, session, generation, credential, name, ...asker }: PasskeyRegistrationFinish): Promise<PasskeyAnswer> {
    const { stores, audit, passkeys, spec, clock } = this.#env
    const presented = readAttestation(credential)
    if (presented === undefined) return { kind: 'refused' }
    const state = await this.#take(registrationKind, presented.word.challenge, asker.browser)
    if (isFailure(state) || state['subject'] !== subject || state['session'] !== session) return { kind: 'refused' }
    const key = await verifyAttestation(presented, spec)
    if (key === undefined) return { kind: 'refused' }
    if ((await passkeys.owned(subject)).length >= maxPasskeys) return { kind: 'full' }
    const transports = presented.response.response.transports ?? []
    const handle = state['handle'] as string
    const value = { ...key, handle, transports, name, createdAt: clock.now() }
    const passkey = await passkeys.add(subject, value)
    if (passkey === undefined) return { kind: 'taken' }
    // Asked afterwards: whoever ends everything of somebody removes what was there then (`UserAdmin.setPassword`).
    if ((await stores.generations.of(subject)) > generation) {
      await stores.records.remove('passkey', passkey.id)
      return { kind: 'refused' }
    }
    const { address, request } = asker
    audit.write('passkey-added', { subject, session, passkey: passkey.id, address, request })
    return { kind: 'registered', passkey }
  }

  #count(what: 'login' | 'registration', result: string): void {
    const { meter } = this.#env
    if (what === 'login') meter.counter('velum_passkey_logins_total', 'Logins by passkey, by what came of them.', { result }).add()
    else meter.counter('velum_passkey_registrations_total', 'Registrations of passkeys, by what came of them.', { result }).add()
  }
}

function isFailure(found: LoginState | Failure): found is Failure {
  return 'why' in found
}
