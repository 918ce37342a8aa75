import { z } from 'zod'
import { cidrOption } from '../../policies/option-schemas.ts'
import { clientSchema, passkeysSchema, passwordsSchema, sessionsSchema, tokensSchema } from './own-issuer.ts'
import { providerSchema } from './providers.ts'
import { duration, name, oneOrMore } from './units.ts'

/** The algorithms that a foreign issuer may sign with: asymmetric ones only (RFC 8725 §3.1). */
export const asymmetricAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** Kinds of tokens that are something else than access tokens, whoever makes them (RFC 8725 §3.12). */
const otherKinds = new Set(['gw+jwt', 'dpop+jwt', 'logout+jwt', 'secevent+jwt', 'id+jwt'])

const tokenType = z
  .string()
  .regex(/^(?:application\/)?[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,63}$/, { error: 'this is no typ of a token' })
  .refine((typ) => !otherKinds.has(typ.toLowerCase().replace(/^application\//, '')), {
    error: 'tokens of this typ are no access tokens',
  })

/** How an issuer is asked about its tokens. */
export const introspectionSchema = z.strictObject({
  endpoint: z
    .string()
    .describe('Where it is asked (RFC 7662): https, or http on loopback.')
    .meta({ examples: ['https://idp.example.com/oauth2/introspect'] }),
  clientId: z.string().min(1).describe('Who this gateway is there.'),
  clientSecret: z.string().min(1).describe('The secret that the issuer gave it.'),
  auth: z.enum(['basic', 'post']).optional().describe('Whether the secret travels in Authorization or in the form. Default: basic.'),
  prefix: z
    .string()
    .regex(/^[!-~]{1,64}$/, { error: 'a prefix is one word' })
    .optional()
    .describe('How its tokens begin. Only one issuer that is asked may have none: no token is shown to two.')
    .meta({ examples: ['gho_'] }),
  requireAudience: z
    .boolean()
    .optional()
    .describe('Whether its answer must name one of `audience`. False only for an endpoint that knows no tokens but those for this gateway. Default: true.'),
  timeout: duration('50ms', '30s').optional().describe('How long its answer is waited for; then 503. Default: 2s.'),
  cache: duration('0s', '1h')
    .optional()
    .describe('For how long its answer holds, at most: a token that it revokes is believed as long. What is revoked here counts at once. Default: 30s.'),
  onFailure: z
    .union([z.literal('closed'), z.strictObject({ stale: duration('1s', '1h').describe('For how long after `cache` has passed.') })])
    .optional()
    .describe('What becomes of tokens while it does not answer: `closed` answers 503, { stale } goes on with those that were good. Default: closed.'),
})

/** A foreign issuer of bearer tokens. */
export const trustedIssuerSchema = z.strictObject({
  issuer: z.string().min(1).describe('The exact `iss` of its tokens.').meta({ examples: ['https://idp.example.com'] }),
  jwksUri: z
    .string()
    .optional()
    .describe('Where its keys are published: https, or http on loopback. Either this or `jwks`.')
    .meta({ examples: ['https://idp.example.com/.well-known/jwks.json'] }),
  jwks: z.string().min(1).optional().describe('A file with its keys (a JWK set), relative to the config file. Either this or `jwksUri`.'),
  introspection: introspectionSchema
    .optional()
    .describe('Asks the issuer about tokens that cannot be verified here. Besides `jwksUri` or `jwks`, or in their place.'),
  audience: oneOrMore(z.string().min(1)).describe('Whom its tokens must be meant for: `aud` must hold one of these.'),
  algorithms: z
    .array(z.enum(asymmetricAlgorithms))
    .min(1)
    .optional()
    .describe('The signature algorithms it may use. Default: all asymmetric ones.'),
  types: z
    .array(tokenType)
    .min(1)
    .optional()
    .describe(
      'The `typ` of its access tokens. Default: at+jwt alone (RFC 9068). Write JWT for an issuer that marks access tokens no better than ID tokens; then only `audience` tells the two apart.',
    )
    .meta({ examples: [['at+jwt', 'JWT']] }),
  clockTolerance: duration('0s', '60s').optional().describe('How far its clock may be off from this one. Default: 30s.'),
  tenant: z.string().min(1).optional().describe('The tenant that all its subjects belong to.'),
  tenants: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('The tenants that its tokens may name in the claim `identity.tenantClaim`. Without `tenant` and `tenants` its subjects have none.'),
  maxLifetime: duration('1s', '3650d').optional().describe('Longest lifetime (exp − iat) of a token that is believed. Default: 24h.'),
})

/** An API key that stands in the configuration. */
export const apiKeySchema = z.strictObject({
  sha256: z.string().describe("SHA-256 of the key's text, in hex: `printf %s \"$KEY\" | sha256sum`. The key itself never stands in a config."),
  subject: z.string().min(1).optional().describe('Who calls with it. Default: the name of the key.'),
  tenant: z.string().min(1).optional().describe('The tenant it belongs to.'),
  scopes: z.array(z.string().min(1)).optional().describe('The scopes it grants.'),
  roles: z.array(z.string().min(1)).optional().describe('The roles it grants.'),
  expires: z
    .string()
    .optional()
    .describe('When it ends: a date (its first moment in UTC) or a time. Default: never.')
    .meta({ examples: ['2027-01-31', '2027-01-31T12:00:00Z'] }),
  addresses: z.array(cidrOption).min(1).optional().describe('Where it may be used from. Default: anywhere.'),
})

const certificateName = (words: string): z.ZodType<readonly string[]> => oneOrMore(z.string().min(1).max(255)).describe(words)

/** Whom certificates of clients stand for. */
export const certificateIdentitySchema = z.strictObject({
  uri: certificateName('URIs of the subjectAltName, exact or with `/*` at the end for whatever follows.').optional().meta({ examples: ['spiffe://example.org/orders', 'spiffe://example.org/jobs/*'] }),
  dns: certificateName('Host names of the subjectAltName, exact or with `*.` in front for one label.').optional().meta({ examples: ['worker.internal', '*.workers.internal'] }),
  email: certificateName('Mail addresses of the subjectAltName, exact.').optional(),
  commonName: certificateName('The common name of the subject, exact. Use a subjectAltName where the authority gives one.').optional(),
  fingerprint: certificateName('SHA-256 of the whole certificate, in hex: pins it.').optional(),
  listeners: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('Listeners on which this entry counts: with an authority for each listener, no name of one authority passes for that of another. Default: all.'),
  subject: z.string().min(1).optional().describe('Who calls with it. Default: the name that was found.'),
  tenant: z.string().min(1).optional().describe('The tenant it belongs to.'),
  scopes: z.array(z.string().min(1)).optional().describe('The scopes it grants.'),
  roles: z.array(z.string().min(1)).optional().describe('The roles it grants.'),
})

/** Who is calling. */
export const identitySchema = z.strictObject({
  path: z
    .string()
    .optional()
    .describe('Where the identity endpoints live. Default: /auth. Routes may not lie below it.')
    .meta({ examples: ['/auth'] }),
  issuer: z
    .string()
    .min(1)
    .optional()
    .describe("The `iss` and `aud` of Velum's own tokens: the public https address of this gateway. Without it Velum issues none.")
    .meta({ examples: ['https://api.example.com'] }),
  tenantClaim: z.string().min(1).optional().describe('The claim of foreign tokens that names a tenant. Default: tenant.'),
  roles: z
    .record(z.string().min(1), z.array(z.string().min(1)))
    .optional()
    .describe('The scopes that a role grants, in sessions and in tokens that Velum issues.')
    .meta({ examples: [{ staff: ['orders:read', 'billing:read'] }] }),
  sessions: sessionsSchema.optional().describe('Sessions of people, behind an opaque cookie.'),
  tokens: tokensSchema.optional().describe('Tokens that Velum issues.'),
  passwords: passwordsSchema.optional().describe('What hashing the passwords of `velum user` costs.'),
  trustedOrigins: z
    .array(z.string().min(1))
    .optional()
    .describe('Origins besides its own whose pages may log in and out, refresh, and act with a session. Default: none.')
    .meta({ examples: [['https://app.example.com']] }),
  clients: z.record(name(), clientSchema).optional().describe('Programs that get tokens for themselves (client credentials), by client id. They see and revoke their own tokens; those of others with the scopes tokens:introspect and tokens:revoke.'),
  providers: z
    .record(name(), providerSchema)
    .optional()
    .describe('OpenID providers at which people log in, by name; each gets a button on the login page. Who comes from where is told by issuer and subject alone, never by an address of mail.'),
  passkeys: passkeysSchema.optional().describe('Passkeys (WebAuthn): who logs in by password may register some and log in with them. `{}` suffices. Without it, nobody can have one.'),
  trustedIssuers: z.record(name(), trustedIssuerSchema).optional().describe('Foreign issuers whose bearer tokens are believed, by name.'),
  apiKeys: z.record(name(), apiKeySchema).optional().describe('API keys by name; callers send the key in `x-api-key`.'),
  certificates: z
    .record(name(), certificateIdentitySchema)
    .optional()
    .describe('Whom certificates of clients stand for, by name (the `client`). A certificate counts that a listener has verified (`clientCertificates`) and that has one of the names given here; where entries overlap, the fingerprint goes before a URI, a host name, a mail address and the common name, and an exact name before a pattern.'),
})
