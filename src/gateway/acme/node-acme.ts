import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { GatewayModel, TlsModel } from '../../config/model.ts'
import type { Clock } from '../../core/clock.ts'
import type { Closable } from '../../core/lasting.ts'
import type { Log } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import { deriveKeys } from '../../identity/sealing.ts'
import type { TrustingFetch } from '../../wire/node/trusting-fetch.ts'
import { orderCertificate } from '../../wire/tls/acme-order.ts'
import type { AcmeIssued, OrderCertificate } from '../../wire/tls/acme-order.ts'
import type { CertificateMaterial } from '../../wire/tls/tls-spec.ts'
import type { AcmeStatus } from '../certificate-status.ts'
import { AcmeAccounts } from './acme-accounts.ts'
import { AcmeChallenges } from './acme-challenges.ts'
import { AcmeKeeper } from './acme-keeper.ts'
import type { AcmeWant } from './acme-record.ts'
import { wantsOf } from './acme-record.ts'
import type { LiveChallenge } from './answer-challenges.ts'

export interface NodeAcmeOptions {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** Open before `prepare` of a configuration that orders certificates. */
  readonly store: () => { readonly stores: Stores; readonly secrets: readonly string[] } | undefined
  /** A certificate is there that was not before. */
  readonly changed: () => void
  /** Other challenges than before are to be answered. */
  readonly challenged: (live: readonly LiveChallenge[]) => void
  /** Default: over the network. */
  readonly order?: OrderCertificate | undefined
}

/** A node's part in ordering certificates: nothing at all until a configuration asks for it. */
export class NodeAcme implements Closable {
  readonly #options: NodeAcmeOptions
  #opened: { readonly keeper: AcmeKeeper; readonly challenges: AcmeChallenges } | undefined
  #wants: readonly AcmeWant[] = []

  constructor(options: NodeAcmeOptions) {
    this.#options = options
  }

  /** Loads what the store has of these certificates. Rejects with `store-down`. */
  async prepare(model: GatewayModel): Promise<void> {
    this.#wants = model.listeners.flatMap(({ tls }) => (tls?.acme === undefined ? [] : wantsOf(tls.acme)))
    if (this.#wants.length === 0) return
    this.#opened ??= this.#open()
    await this.#opened.challenges.open()
    await this.#opened.keeper.prepare(this.#wants)
  }

  commit(): void {
    this.#opened?.keeper.commit(this.#wants)
  }

  discard(): void {
    this.#opened?.keeper.discard()
  }

  /** The challenges to be answered at the moment. */
  get live(): readonly LiveChallenge[] {
    return this.#opened?.challenges.live ?? []
  }

  /** What was issued for the names of a listener. */
  issued({ acme }: TlsModel): CertificateMaterial[] {
    if (acme === undefined) return []
    return wantsOf(acme).flatMap((want) => this.#opened?.keeper.materialOf(want) ?? [])
  }

  /** How things stand with the names of a listener. */
  statuses({ acme }: TlsModel): AcmeStatus[] {
    const { keeper } = this.#opened ?? {}
    return acme === undefined || keeper === undefined ? [] : wantsOf(acme).map((want) => keeper.statusOf(want))
  }

  close(): void {
    this.#opened?.keeper.close()
    this.#opened?.challenges.close()
  }

  #open(): { keeper: AcmeKeeper; challenges: AcmeChallenges } {
    const { clock, log, meter, store, changed, challenged } = this.#options
    const opened = store()
    if (opened === undefined) throw new Error('ordering certificates needs a store')
    const { stores, secrets } = opened
    const keys = deriveKeys(secrets)
    const challenges = new AcmeChallenges(stores, clock, challenged)
    const accounts = new AcmeAccounts(stores, keys, log)
    const keeper = new AcmeKeeper({
      stores,
      keys,
      clock,
      log,
      meter,
      holder: randomUUID(),
      random: Math.random,
      changed,
      order: (want, signal) => this.#order(want, signal, accounts, challenges),
    })
    return { keeper, challenges }
  }

  async #order(want: AcmeWant, signal: AbortSignal, accounts: AcmeAccounts, challenges: AcmeChallenges): Promise<AcmeIssued> {
    const { order = orderCertificate, log } = this.#options
    const { directory, directoryCa, email, name } = want
    let trusting: TrustingFetch | undefined
    try {
      if (directoryCa !== undefined) trusting = await fetchTrusting(directoryCa)
      const account = await accounts.of(want)
      const issued = await order({
        directory,
        email,
        account,
        name,
        fetch: trusting?.fetch ?? globalThis.fetch,
        present: (challenge) => challenges.present(challenge),
        retract: (challenge) => challenges.retract(challenge),
        signal,
      })
      if (account.url === undefined)
        log.info('an ACME account is used, and its terms are agreed to', { directory, terms: issued.terms })
      await accounts.learned(want, account, issued.accountUrl)
      return issued
    } catch (thrown) {
      // Made anew by the next attempt: an authority may lose its accounts, as test servers do.
      if (/accountDoesNotExist|unable to find (?:existing )?account|account .*not found/i.test(String(thrown)))
        await accounts.forgotten(want)
      throw thrown
    } finally {
      await trusting?.close()
    }
  }
}

/** Loaded only where somebody has an authority of his own. */
async function fetchTrusting(caPath: string): Promise<TrustingFetch> {
  const { createTrustingFetch } = await import('../../wire/node/trusting-fetch.ts')
  return createTrustingFetch({ ca: await readFile(caPath, 'utf8') })
}
