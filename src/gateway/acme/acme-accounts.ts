import type { Log } from '../../core/log.ts'
import type { StoredRecord, Stores } from '../../core/stores.ts'
import type { DerivedKeys } from '../../identity/sealing.ts'
import { seal, unseal } from '../../identity/sealing.ts'
import type { AcmeAccount } from '../../wire/tls/acme-order.ts'
import { newAcmeKey } from '../../wire/tls/acme-order.ts'
import { accountId, acmeSchema } from './acme-record.ts'
import type { AcmeWant } from './acme-record.ts'

const kind = 'acme-account'

/** The accounts with authorities, one for a directory and an address, shared by the fleet: their keys lie sealed in the store. */
export class AcmeAccounts {
  readonly #stores: Stores
  readonly #keys: DerivedKeys
  readonly #log: Log

  constructor(stores: Stores, keys: DerivedKeys, log: Log) {
    this.#stores = stores
    this.#keys = keys
    this.#log = log
  }

  /** The account to order by, made where there is none. Rejects with `store-down`. */
  async of(want: AcmeWant): Promise<AcmeAccount> {
    const id = accountId(want)
    const { records } = this.#stores
    for (;;) {
      const found = await records.get(kind, id)
      const account = found === undefined ? undefined : this.#open(found)
      if (account !== undefined) return account
      const sealed = seal(await newAcmeKey(), `${kind} ${id}`, this.#keys)
      const value = { directory: want.directory, email: want.email, sealed }
      if (found === undefined) await records.create({ kind, id, owner: '', value, schema: acmeSchema, expiresAt: Infinity })
      else {
        this.#log.error('the key of an ACME account was sealed by another secret: a new account is made', {
          directory: want.directory,
        })
        await records.update(kind, found, { value, schema: acmeSchema, expiresAt: Infinity })
      }
    }
  }

  /** Remembers by which URL the authority knows an account. */
  async learned(want: AcmeWant, account: AcmeAccount, url: string): Promise<void> {
    if (account.url === url) return
    const found = await this.#stores.records.get(kind, accountId(want))
    if (found === undefined || this.#open(found)?.key !== account.key) return
    await this.#stores.records.update(kind, found, { value: { ...found.value, url }, schema: acmeSchema, expiresAt: Infinity })
  }

  /** The authority does not know it any more: the next order asks for it anew. */
  async forgotten(want: AcmeWant): Promise<void> {
    const found = await this.#stores.records.get(kind, accountId(want))
    if (found?.value['url'] === undefined) return
    const value = { ...found.value, url: undefined }
    await this.#stores.records.update(kind, found, { value, schema: acmeSchema, expiresAt: Infinity })
  }

  #open({ id, value }: StoredRecord): AcmeAccount | undefined {
    const { sealed, url } = value as { sealed: string; url?: string }
    const key = unseal(sealed, `${kind} ${id}`, this.#keys)
    return key === undefined ? undefined : { key: String(key), url }
  }
}
