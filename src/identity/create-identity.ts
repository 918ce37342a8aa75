import { absentStores } from '../core/absent-stores.ts'
import type { BuildEnv } from '../core/build-env.ts'
import type { Handler } from '../core/handler.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import { NearApiKeys } from './api-key-near.ts'
import { StoredApiKeys } from './api-key-store.ts'
import { createAudit } from './audit.ts'
import type { Authenticators } from './authenticators.ts'
import { createCaller } from './caller.ts'
import { createAuthenticators } from './create-authenticators.ts'
import { createEndpoints } from './create-endpoints.ts'
import { createDispatch, dispatching } from './dispatch.ts'
import type { Dispatch } from './dispatch.ts'
import type { IdentityParts } from './identity-parts.ts'
import type { IdentitySpec, OwnIssuerSpec } from './identity-spec.ts'
import { BasicAuthenticator, BasicMemory } from './login/basic.ts'
import { LiveStreams } from './live-streams.ts'
import { NearSessions } from './near-sessions.ts'
import { oidcSeenTopic } from './oidc/oidc-messages.ts'
import { OwnTokens } from './own-tokens.ts'
import { Revoked } from './revoked.ts'
import { SessionAuthenticator } from './session-authenticator.ts'
import { Signer } from './signer.ts'
import { StoreAccounts } from './store-accounts.ts'
import { StoreFamilies } from './store-families.ts'
import { StoreSessions } from './store-sessions.ts'

/** Identity in one Generation of a worker. */
export interface GenerationIdentity {
  readonly authenticators: Authenticators
  /** Answers that go on are bound to their callers here. */
  readonly streams: LiveStreams
  /** Tells a service of that audience who is calling, by a token; absent without an issuer. */
  readonly tokenEdit: ((audience: string) => RequestEdit) | undefined
  /** Puts the identity endpoints in front of a Handler. */
  before(next: Handler): Handler
  /** What `before` goes by; absent without an issuer. */
  readonly dispatch: Dispatch | undefined
  /** What endpoints are made of; absent without an issuer. */
  readonly parts: IdentityParts | undefined
  /** Resolves when keys and revocations are there, or after a while: until they are, nobody is accepted. */
  readonly ready: Promise<void>
}

/** Longest time for which a worker waits for main and the store before it serves what needs neither. */
const readyWithinMs = 5000

/** Everything that one Generation knows of identity. What lasts longer is held through `env.hold` and ends with it. */
export function createIdentity(spec: IdentitySpec, env: BuildEnv): GenerationIdentity {
  const { own } = spec
  if (own === undefined) {
    return {
      authenticators: createAuthenticators(spec, env),
      streams: env.hold.take('identity.streams', () => new LiveStreams(undefined, env.clock, env.meter)),
      tokenEdit: undefined,
      before: (next) => next,
      dispatch: undefined,
      parts: undefined,
      ready: Promise.resolve(),
    }
  }
  return createOwnIdentity(spec, own, env)
}

function createOwnIdentity(spec: IdentitySpec, own: OwnIssuerSpec, env: BuildEnv): GenerationIdentity {
  const { hold, link, clock, log, meter, stores = absentStores } = env
  const { issuer } = own
  const signerName = JSON.stringify([issuer, own.tokens.algorithm])
  const signer = hold.take(`identity.signer ${signerName}`, () => new Signer(issuer, own.tokens.algorithm, link, clock, log))
  const revocations = hold.take(`identity.revoked ${issuer}`, () => new Revoked({ clock, log, meter, stores, issuer }))
  const near = hold.take(
    `identity.sessions ${JSON.stringify([issuer, own.roles, own.sessions])}`,
    () => new NearSessions(stores, own, revocations, clock, undefined, (id) => link.tell(oidcSeenTopic, id)),
  )
  const nearKeys = hold.take(`identity.api-keys ${issuer}`, () => new NearApiKeys(stores, revocations, clock))
  const storedKeys = new StoredApiKeys({ near: nearKeys, revocations, clock, secrets: () => signer.secrets })
  const streams = hold.take(`identity.streams ${issuer}`, () => new LiveStreams(revocations, clock, meter))
  const audit = createAudit(stores.audit, clock, log, meter)
  const tokens = new OwnTokens(own, signer, clock)
  const accounts = new StoreAccounts(stores)
  const authenticators: Authenticators = {
    ...createAuthenticators(spec, env, revocations, storedKeys),
    basic: new BasicAuthenticator(
      own,
      hold.take(`identity.basic ${JSON.stringify([issuer, own.roles])}`, () => new BasicMemory()),
      revocations,
      env,
    ),
    session: new SessionAuthenticator(own.sessions, near, revocations, clock),
  }
  const parts: IdentityParts = {
    path: spec.path,
    spec: own,
    env,
    stores,
    accounts,
    sessions: new StoreSessions({ spec: own, stores, revocations, clock, audit }),
    families: new StoreFamilies({ spec: own, stores, accounts, revocations, tokens, clock, audit, secrets: () => signer.secrets }),
    tokens,
    revocations,
    audit,
    authenticators,
    caller: createCaller(authenticators),
  }
  const dispatch = createDispatch(spec.path, createEndpoints(parts, signer), [issuer, ...(own.trustedOrigins ?? [])])
  return {
    authenticators,
    streams,
    tokenEdit: (audience) => (headers, x) => {
      if (x.identity !== undefined) headers.put(tokens.serviceToken(x.identity, audience))
    },
    parts,
    before: (next) => dispatching(dispatch, next),
    dispatch,
    ready: readyOrLate(env, signer, revocations),
  }
}

async function readyOrLate({ clock, log }: BuildEnv, signer: Signer, revocations: Revoked): Promise<void> {
  const late = new Promise<boolean>((resolve) => void clock.after(readyWithinMs, () => resolve(false)))
  const loaded = Promise.all([signer.loaded, revocations.loaded]).then(() => true)
  const isReady = await Promise.race([loaded, late])
  if (!isReady)
    log.error(
      'what is revoked, or what to sign with, could not be had in time: callers with sessions and tokens get 503 until it is',
    )
}
