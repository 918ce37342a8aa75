import { randomBytes } from 'node:crypto'
import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import { createTicketKeys } from '../wire/tls/ticket-keys.ts'
import type { TicketKeys } from '../wire/tls/ticket-keys.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
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
  #material: ReadonlyMap<string, TlsMaterial> = new Map()
  #adminListener: ((material: TlsMaterial) => void) | undefined

  constructor({ hub, clock, log, secrets, revised }: NodeTlsOptions) {
    this.#certificates = new Certificates({
      clock,
      log,
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
    return certificateStatuses(this.#certificates.served(), [])
  }

  families(): Family[] {
    return certificateFamilies(this.statuses())
  }

  /** Reads what a configuration needs. Rejects, having closed what it opened. */
  async prepare(model: GatewayModel): Promise<PreparedTls> {
    const { material, commit, discard } = await this.#certificates.prepare(model, storeFolder(model))
    return {
      order: { tls: material, ticketKeys: this.#ticketKeys.current },
      commit: () => {
        this.#material = material
        commit()
      },
      discard,
    }
  }

  close(): void {
    this.#certificates.close()
    this.#ticketKeys.close()
  }
}
