import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { StoredRecord, Stores } from '../core/stores.ts'
import type { Account, Accounts } from './accounts.ts'

/** What every record of the kind `user` says, whatever else it holds; its id is the subject. */
export interface UserValue {
  readonly tenant?: string | undefined
  readonly roles: readonly string[]
  readonly isEnabled: boolean
}

/** Accounts as records of the kind `user`. */
export class StoreAccounts implements Accounts {
  readonly #stores: Stores

  constructor(stores: Stores) {
    this.#stores = stores
  }

  find(subject: string): MaybePromise<Account | undefined> {
    const found = this.#stores.records.get('user', subject)
    return isPromise(found) ? found.then(accountOf) : accountOf(found)
  }
}

/** The account that a record of the kind `user` stands for. */
export function accountOf(record: StoredRecord | undefined): Account | undefined {
  if (record === undefined) return undefined
  const { tenant, roles, isEnabled } = record.value as unknown as UserValue
  return { subject: record.id, tenant, roles, isEnabled }
}
