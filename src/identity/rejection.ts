/**
 * Why a credential proves nobody. Made once per reason and shared; the reason is for the operator only, since what
 * exactly is wrong with a forged credential is no business of its bearer.
 */
export class Rejection {
  /** Stable and kebab-case: `expired`, `bad-signature`, `unknown-key` … */
  readonly reason: string
  /** The reason in a sentence. */
  readonly words: string
  /** True when the credential could not be judged, which must not look like a bad credential. */
  readonly isUndecided: boolean
  /** Set when it was not judged because of too many failures before: the seconds after which one would be. */
  readonly lockedS: number | undefined

  constructor(reason: string, words: string, isUndecided = false, lockedS?: number) {
    this.reason = reason
    this.words = words
    this.isUndecided = isUndecided
    this.lockedS = lockedS
  }
}

const table = {
  // Its form.
  empty: 'The credential is empty.',
  'too-large': 'The token is larger than 8 KiB.',
  'not-a-jwt': 'The token is not three parts of canonical base64url with a JSON object in each of the first two.',
  encrypted: 'The token is encrypted (JWE); only signed tokens are taken.',
  'bad-header': 'The token header has a member of the wrong type.',
  'forbidden-header':
    'The token header brings a key of its own, or demands an extension (jwk, jku, x5u, x5c, crit, b64, zip, cty, enc).',
  'bad-claim': 'A claim has the wrong type.',
  'missing-claim': 'One of the claims iss, sub, aud, exp and iat is missing.',
  // Whose it is.
  'unknown-issuer': 'No trusted issuer has this iss.',
  'other-type': "The typ is none of this issuer's token types (at+jwt, unless its entry says otherwise): this is no access token.",
  'other-algorithm': "The alg is none of this issuer's algorithms.",
  'other-audience': 'The token is meant for somebody else: aud holds none of the audiences of its issuer’s entry.',
  'other-tenant': "The token names a tenant that is none of this issuer's tenants.",
  // Its time.
  expired: 'The token has expired.',
  'not-yet-valid': 'The token is not valid yet (nbf).',
  'issued-in-future': 'The token claims to be issued in the future (iat).',
  'lives-too-long': 'The token lives longer than its issuer is trusted for (exp − iat above maxLifetime).',
  // Its signature.
  'bad-key-id': 'The kid is missing, or not a short text of letters, digits and -._~+/=.',
  'unknown-key': 'The issuer has published no key with this kid.',
  'key-algorithm': 'The alg is not the one of the key.',
  'bad-signature': 'The signature is not valid.',
  revoked: 'It was revoked, or its session, its client, its key, or everything of its subject.',
  // Sessions.
  'not-a-session': 'The cookie is not of the form of a session cookie.',
  'unknown-session': 'There is no such session, or not any more.',
  'session-expired': 'The session has ended, or was not used for too long.',
  // Tokens that their issuer was asked about.
  inactive: 'Its issuer says that the token is not active.',
  'bound-token': 'The token is bound to a key of its holder (DPoP, certificate), which is not checked here.',
  // User names and passwords.
  'basic-without-tls': 'A user name and password were sent without TLS: they count for nothing, and should be changed.',
  'not-a-pair': 'This is no user name and password (RFC 7617): base64 of both, joined by a colon.',
  'wrong-password': 'There is no such user, or the password is wrong, or the user is disabled.',
  // API keys.
  'unknown-api-key': 'No API key has this hash.',
  'api-key-expired': 'The API key has expired.',
  'api-key-checksum': 'The API key is mistyped: its checksum is not that of the rest.',
  'api-key-address': 'The API key may not be used from this address.',
  // Certificates of clients.
  'unknown-certificate': 'No entry of identity.certificates names the holder of this certificate.',
  'certificate-expired': 'The certificate has expired since the connection was opened.',
} as const

/** Every reason to reject a credential, ready. */
export const rejections = Object.fromEntries(
  Object.entries(table).map(([reason, words]) => [reason, new Rejection(reason, words)]),
) as Readonly<Record<keyof typeof table, Rejection>>

/** The keys that would judge the token could not be had. */
export const keysUnavailable = new Rejection(
  'keys-unavailable',
  "The keys of the token's issuer cannot be had at the moment.",
  true,
)

/** What has been revoked is not known, or not freshly enough. */
export const revocationsUnknown = new Rejection(
  'revocations-unknown',
  'The store does not answer, so nobody can tell whether the credential was revoked.',
  true,
)

/** The issuer of a token could not be asked, or gave no answer. */
export const introspectionUnavailable = new Rejection(
  'introspection-unavailable',
  'The issuer of the token cannot be asked about it at the moment.',
  true,
)

/** Nobody was asked, since nothing is sent in a peek. */
export const notIntrospected = new Rejection('not-asked', 'The issuer of the token would be asked about it.', true)

/** Too many passwords wait to be judged. */
export const loginsFull = new Rejection('logins-full', 'Too many passwords are being checked at the moment.', true)

/** Nobody was asked, since in a peek no password is tried. */
export const notJudged = new Rejection('not-judged', 'The user name and password would be checked.', true)

/** By powers of two, so that they are few: shared as all the others are. */
const locks = Array.from({ length: 11 }, (_, i) => {
  const seconds = 2 ** i
  return new Rejection('locked', 'There were too many failed logins before.', false, seconds)
})

/** The wait after too many failures: at least what is left of it, and less than twice as much. */
export function lockedFor(ms: number): Rejection {
  return locks.find(({ lockedS }) => lockedS! * 1000 >= ms) ?? locks[locks.length - 1]
}

/** The session could not be looked up. */
export const storeUnavailable = new Rejection(
  'store-unavailable',
  'The store does not answer, so the session cannot be looked up.',
  true,
)
