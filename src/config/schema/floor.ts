import { z } from 'zod'
import { availableCredentials } from '../../identity/authenticators.ts'
import { cidrOption, headerNameOption } from '../../policies/option-schemas.ts'
import { limitsSchema } from './limits.ts'
import { duration, size } from './units.ts'

const headerFloorSchema = z.strictObject({
  set: z
    .record(headerNameOption, z.string())
    .optional()
    .describe('Headers that every route sets to exactly this value, with no further line of that name.'),
  remove: z.array(headerNameOption).optional().describe('Headers that every route takes out, and none puts in.'),
})

/** What no route and no listener of a gateway may fall short of. */
export const floorSchema = z.strictObject({
  auth: z
    .union([
      z.literal('required'),
      z.strictObject({
        any: z.array(z.enum(availableCredentials)).min(1).describe('The only kinds of credentials that a route may accept.'),
      }),
    ])
    .optional()
    .describe(
      'Every route asks who is calling: none is public, optional or in shadow. With { any } these kinds of credentials are the only ones, and a service that decides (`external`) does not stand in for one. Default: routes choose.',
    )
    .meta({ examples: ['required', { any: ['session', 'bearer'] }] }),
  onStoreFailure: z
    .union([z.literal('closed'), z.strictObject({ stale: duration('1s', '1h').describe('For how long at most.') })])
    .optional()
    .describe('The longest that a route may believe callers while it cannot be known what has been revoked. Default: routes choose.'),
  limits: limitsSchema
    .optional()
    .describe(
      'The smallest set of limits, by name and with their definitions: every route is charged each of them, at no lower cost and never in shadow. A gateway may define one of these names again with smaller numbers, never with larger ones, another key or another algorithm. Default: none.',
    )
    .meta({ examples: [{ perAddress: { algorithm: 'token-bucket', capacity: 200, refill: '100/s', per: ['address'] } }] }),
  headers: z
    .strictObject({
      secure: z
        .literal(true)
        .optional()
        .describe('Every route has `secure` headers, and neither sets, adds nor removes one of them unless `response` here says the same.'),
      request: headerFloorSchema.optional().describe('What stands for the requests that services see.'),
      response: headerFloorSchema.optional().describe('What stands for the answers that clients see.'),
    })
    .optional()
    .describe('Changes to headers that no route may undo. Default: none.'),
  body: z
    .strictObject({ max: size().optional().describe('The largest request body that a route may take.') })
    .optional()
    .describe('Bounds on request bodies, never in shadow. Default: routes choose.'),
  csrf: z
    .strictObject({
      origins: z.array(z.string()).optional().describe('The only further origins that may be trusted, here or in `identity.trustedOrigins`. Default: none.'),
    })
    .optional()
    .describe('Protection from pages of other sites is never in shadow, and trusts no origins but these. Default: routes choose.'),
  addresses: z
    .strictObject({
      allow: z.array(cidrOption).min(1).optional().describe('No route may be called from anywhere else: its own `allow` lies within this.'),
      deny: z.array(cidrOption).optional().describe('Every route denies these, each within a block of its own `deny`.'),
    })
    .optional()
    .describe('From where no route may be called, never in shadow. Default: routes choose.'),
  timeout: duration('1ms', '1d').optional().describe('The longest `timeout` of a route that leads to a service. Default: routes choose.'),
  deadline: duration('1ms', '1d').optional().describe('The longest `deadline` of a route that leads to a service. Default: routes choose.'),
  tls: z
    .strictObject({
      minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).optional().describe('The oldest version that a listener may speak. Default: TLSv1.2.'),
    })
    .optional()
    .describe('Every listener terminates TLS, or only redirects to one that does. Default: listeners choose.'),
  trustedProxies: z
    .array(cidrOption)
    .optional()
    .describe('The only addresses that may be trusted to say where a request came from. Default: the gateway chooses.'),
})
