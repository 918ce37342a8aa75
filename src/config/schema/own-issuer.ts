import { z } from 'zod'
import { deliveries, ownAlgorithms } from '../../identity/identity-spec.ts'
import { duration, size } from './units.ts'

/** How long sessions of people live. */
export const sessionsSchema = z.strictObject({
  idle: duration('1m', '90d').optional().describe('How long a session lives without a request. Default: 30m.'),
  absolute: duration('1m', '400d').optional().describe('When a session ends, whatever happens, counted from the login. Default: 12h.'),
  sameSite: z
    .enum(['lax', 'strict'])
    .optional()
    .describe('Whether the cookie comes along when somebody follows a link from another site: `lax` yes, `strict` no. Default: lax.'),
})

/** Tokens that Velum issues. */
export const tokensSchema = z.strictObject({
  access: duration('1m', '1d')
    .optional()
    .describe('How long an access token lives. Services that verify tokens themselves believe a revoked one as long. Default: 10m.'),
  refresh: duration('10m', '400d')
    .optional()
    .describe('When a login by tokens ends, whatever happens, counted from the login. Default: 30d.'),
  refreshIdle: duration('10m', '400d').optional().describe('How long a login by tokens lives without being refreshed. Default: 7d.'),
  reuseGrace: duration('0ms', '60s')
    .optional()
    .describe('How long a refresh token that was just used still yields the same successor, for two tabs and lost answers. Default: 10s.'),
  algorithm: z.enum(ownAlgorithms).optional().describe('How tokens are signed. Default: ES256.'),
  deliver: z
    .array(z.enum(deliveries))
    .min(1)
    .optional()
    .describe(
      'What a login may ask for: `session` (an opaque cookie), `memory` (an access token, and the refresh token in a cookie), `token` (both tokens in the answer, for programs). Default: session and memory.',
    ),
})

/** A program that gets tokens for itself. */
export const clientSchema = z.strictObject({
  secretHash: z
    .string()
    .describe('SHA-256 of its secret, in hex: `printf %s "$SECRET" | sha256sum`. The secret must be random, at least 128 bits.'),
  scopes: z.array(z.string().min(1)).optional().describe('The scopes it may ask for; without asking it gets all of them.'),
  roles: z.array(z.string().min(1)).optional().describe('The roles it has.'),
  tenant: z.string().min(1).optional().describe('The tenant it belongs to.'),
})

/** What hashing passwords costs. */
export const passwordsSchema = z.strictObject({
  memory: size('19mb', '1gb').optional().describe('Memory of one hash (argon2id), at least 19mb. Default: 19mb (19456 KiB, the floor that OWASP gives).'),
  passes: z.int().min(1).max(100).optional().describe('Passes over that memory, at least 2 at the least memory. Default: 2.'),
  lanes: z.int().min(1).max(16).optional().describe('Lanes computed one after the other. Default: 1.'),
  threads: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe('Threads that hash, at most as many as there are cores; what does not fit their queue is answered with 503. Default: 2.'),
})

/** Passkeys (WebAuthn). */
export const passkeysSchema = z.strictObject({
  rpId: z
    .string()
    .min(1)
    .optional()
    .describe("The domain that passkeys are good for: the issuer's host, or a domain above it. Whoever changes it makes all passkeys useless. Default: the issuer's host.")
    .meta({ examples: ['example.com'] }),
  name: z.string().min(1).max(64).optional().describe('What authenticators call this place. Default: the domain.'),
  origins: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Origins whose pages may register and use passkeys, each within the domain. Default: the issuer.')
    .meta({ examples: [['https://api.example.com', 'https://app.example.com']] }),
})
