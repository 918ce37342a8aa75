import { randomBytes } from 'node:crypto'
import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import type { Stores } from '../core/stores.ts'
import { createTicketKeys } from '../wire/tls/ticket-keys.ts'
import type { TicketKeys } from '../wire/tls/ticket-keys.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import { NodeAcme } from './acme/node-acme.ts'
import { certificateFamilies, certificateStatuses } from './certificate-status.ts'
import type { CertificateStatus } from './certificate-status.ts'
import { Certificates } from './certificates.ts'
import { toldTopics } from './messages.ts'
import type { GenerationOrder } from './messages.ts'
import type { Family } from './meter-totals.ts'
import { storeFolder } from './store-folder.ts'

/** What of an order is about TLS. */
export type TlsOrder = Omit<GenerationOrder, 'model'>

export interface NodeTlsOptions {
  readonly hub: Hub
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** Open before `prepare` of a configuration that orders certificates. */
  readonly store: () => { readonly stores: Stores; readonly secrets: readonly string[] } | undefined
  /** Current, previous; tickets of an earlier run resume only when the operator gave a secret that outlives it. */
  readonly secrets: readonly string[] | undefined
  /** What workers that start from now on are ordered. */
  readonly revised: (change: Partial<TlsOrder>) => void
}

/** A change of what TLS needs that has been prepared. */
export interface PreparedTls {
  readonly order: TlsOrder
  commit(): void
  discard(): void
}

/** Main's part of TLS: certificates and ticket keys, and what is told of them to the workers and to the admin server. */
export class NodeTls {
  readonly #certificates: Certificates
  readonly #ticketKeys: TicketKeys
  readonly #acme: NodeAcme
  #model: GatewayModel | undefined
  #material: ReadonlyMap<string, TlsMaterial> = new Map()
  #adminListener: ((material: TlsMaterial) => void) | undefined

  constructor({ hub, clock, log, meter, store, secrets, revised }: NodeTlsOptions) {
    this.#acme = new NodeAcme({
      clock,
      log,
      meter,
      store,
      changed: () => this.#certificates.issuedChanged(),
      challenged: (challenges) => {
        revised({ challenges })
        hub.tellAll(toldTopics.challenges, challenges)
      },
    })
    this.#certificates = new Certificates({
      clock,
      log,
      issued: (tls) => this.#acme.issued(tls),
      changed: (place, material) => {
        if (place === 'admin') return this.#adminListener?.(material)
        const listener = place.slice('listeners.'.length)
        this.#material = new Map(this.#material).set(listener, material)
        revised({ tls: this.#material })
        return hub.tellAll(toldTopics.certificates, { listener, material })
      },
    })
    const secret = secrets?.[0]
    this.#ticketKeys = createTicketKeys({
      secret: secret === undefined ? randomBytes(32) : Buffer.from(secret),
      clock,
      changed: (keys) => {
        revised({ ticketKeys: keys })
        hub.tellAll(toldTopics.ticketKeys, keys)
      },
    })
  }

  get devAuthorityPath(): string | undefined {
    return this.#certificates.devAuthorityPath
  }

  /** What the admin server serves with; undefined where it speaks plain HTTP. `changed` hears of what comes later. */
  admin(changed: (material: TlsMaterial) => void): TlsMaterial | undefined {
    this.#adminListener = changed
    return this.#certificates.admin
  }

  /** Every certificate that is served or waited for. */
  statuses(): CertificateStatus[] {
    const ordered = (this.#model?.listeners ?? []).flatMap(({ name, tls }) =>
      tls === undefined ? [] : this.#acme.statuses(tls).map((status) => ({ place: `listeners.${name}`, status })),
    )
    return certificateStatuses(this.#certificates.served(), ordered)
  }

  families(): Family[] {
    return certificateFamilies(this.statuses())
  }

  /** Reads what a configuration needs. Rejects, having closed what it opened. */
  async prepare(model: GatewayModel): Promise<PreparedTls> {
    try {
      await this.#acme.prepare(model)
      const certificates = await this.#certificates.prepare(model, storeFolder(model))
      return {
        order: { tls: certificates.material, ticketKeys: this.#ticketKeys.current, challenges: this.#acme.live },
        commit: () => {
          this.#model = model
          this.#material = certificates.material
          certificates.commit()
          this.#acme.commit()
        },
        discard: () => {
          certificates.discard()
          this.#acme.discard()
        },
      }
    } catch (thrown) {
      this.#acme.discard()
      throw thrown
    }
  }

  close(): void {
    this.#acme.close()
    this.#certificates.close()
    this.#ticketKeys.close()
  }
}
