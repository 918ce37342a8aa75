import type { Exchange } from '../../core/exchange.ts'
import type { Identity } from '../../core/identity.ts'
import type { IdentityParts } from '../identity-parts.ts'
import { passkeyStoreOf } from '../passkeys/passkey-care.ts'
import type { PasskeyRow } from '../passkeys/passkey-messages.ts'
import { isRecentLogin } from '../recent-login.ts'
import type { SessionRow } from '../sessions.ts'

/** What an account page shows of somebody. */
export interface AccountView {
  /** Where the page is, and the paths that its forms need. */
  readonly path: string
  readonly place: string
  readonly subject: string
  /** What the person calls themselves; undefined for those whom a provider vouches for. */
  readonly userName: string | undefined
  readonly session: string | undefined
  readonly sessions: readonly SessionRow[]
  /** Undefined where passkeys are not configured. */
  readonly passkeys: readonly PasskeyRow[] | undefined
  /** Whether passkeys may be added and removed now, or only after another login. */
  readonly isRecent: boolean
  /** Labels of the providers that the account is linked to. */
  readonly providers: readonly string[]
}

/** Reads what there is to show. Rejects with `store-down`. */
export async function accountView(x: Exchange, identity: Identity, parts: IdentityParts): Promise<AccountView> {
  const { path, spec, stores, sessions } = parts
  const { subject, session } = identity
  const store = passkeyStoreOf(parts)
  const [user, rows, passkeys, issuers] = await Promise.all([
    stores.records.get('user', subject),
    sessions.list(subject),
    spec.passkeys === undefined ? undefined : store.list(subject),
    store.linkedIssuers(subject),
  ])
  const name = user?.value['name']
  return {
    path,
    place: x.authority === '' ? new URL(spec.issuer).host : x.authority,
    subject,
    userName: typeof name === 'string' ? name : undefined,
    session,
    // The one that looks comes first: it is what the others are compared with.
    sessions: rows.toSorted((a, b) => Number(b.id === session) - Number(a.id === session)),
    passkeys,
    isRecent: isRecentLogin(identity, x),
    providers: issuers.map(
      (issuer) => (spec.providers ?? []).find((one) => one.issuer === issuer)?.label ?? URL.parse(issuer)?.host ?? issuer,
    ),
  }
}
