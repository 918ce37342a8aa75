import { z } from 'zod'
import { priorities } from '../../limits/priority.ts'
import { policyKinds } from '../../policies/list.ts'
import { bridgeSchema } from './bridges.ts'
import { graphqlGuardSchema } from './graphql-bridge.ts'
import { hostNameSchema } from './listeners.ts'
import { limitUses } from './limits.ts'
import { duration, name, oneOrMore } from './units.ts'

const fieldValue = z
  .union([z.string(), z.array(z.string()).min(1), z.literal(true)])
  .describe('The value, one of several, or true for any.')

/** The modules of custom policies, by the names that routes use. */
export const customPoliciesSchema = z.record(name(), z.string().min(1).describe('The path of the module, relative to the config file.'))

/** Which requests a route is for. */
export const matchSchema = z.strictObject({
  path: oneOrMore(z.string())
    .describe('Path patterns: /a/b exactly; {x} one segment; {x?} an optional last one; ** the rest.')
    .meta({ examples: ['/orders/{id?}', '/catalog/**'] }),
  methods: z.array(z.string()).min(1).optional().describe('Methods in upper case; GET includes HEAD. Default: any.').meta({ examples: [['GET']] }),
  hosts: z.array(hostNameSchema).min(1).optional().describe('Host names; *.example.com matches every name below. Default: any.'),
  headers: z.record(z.string(), fieldValue).optional().describe('Header fields that must be there.'),
  query: z.record(z.string(), fieldValue).optional().describe('Query parameters that must be there.'),
  allow: z
    .array(z.enum(['encoded-slash', 'semicolon']))
    .optional()
    .describe('What the path may hold here although it is refused elsewhere: %2F; or ";" and %3B.'),
})

const toSchema = z.union([
  z.string(),
  z
    .array(
      z.strictObject({
        service: z.string().describe('The name of a service.'),
        weight: z.int().min(0).max(1_000_000).describe('Its share relative to the others.'),
      }),
    )
    .min(1),
])

const redirectSchema = z.strictObject({
  to: z
    .string()
    .min(1)
    .describe("A path or an absolute URL; {x} and ** stand for what the match caught. The query is kept.")
    .meta({ examples: ['/new/{id}', 'https://example.com/**'] }),
  status: z.literal([301, 302, 303, 307, 308]).optional().describe('Default: 308.'),
})

const respondSchema = z.strictObject({
  status: z.int().min(200).max(599).describe('The status of the answer.'),
  headers: z.record(z.string(), z.string()).optional().describe('Header fields of the answer.'),
  body: z.string().optional().describe('The content of the answer, as text.'),
})

const limitsSchema = z.union([
  limitUses,
  z.strictObject({ only: limitUses.describe('These limits and not those of `defaults`.') }),
])

/** The keys of policies, as `policies/list.ts` has them. */
const policyShape: Record<string, z.ZodType> = Object.fromEntries(
  policyKinds.map((kind) => [kind.name, kind.options.optional().describe(kind.doc)]),
)

const prioritySchema = z.enum(priorities)

const onStoreFailureSchema = z.union([z.literal('closed'), z.strictObject({ stale: duration('1s', '1h').describe('For how long.') })])

/** The fields of `defaults` that are no policies. */
export const ownDefaultsSchema = z.strictObject({
  limits: limitUses.optional().describe('Limits that every route has besides its own.'),
  priority: prioritySchema.optional().describe('Who goes first when a service is short of capacity; see routes.'),
  timeout: duration('1ms', '1d').optional().describe("To the head of the service's answer, over all tries."),
  deadline: duration('1ms', '1d').optional().describe('From the first byte of the request to the last of the answer; see routes.'),
  onStoreFailure: onStoreFailureSchema.optional().describe('What becomes of callers while the store cannot be asked; see routes.'),
})

/** What `defaults` gives to every route. */
export const defaultsSchema = z.strictObject({ ...ownDefaultsSchema.shape, ...policyShape })

/** The fields of a route that are no policies. */
export const ownRouteSchema = z.strictObject({
  name: name().describe('Its name in log, metrics and messages; unique.'),
  match: matchSchema.describe('Which requests are meant.').meta({ examples: [{ path: '/orders/{id?}' }] }),
  to: toSchema.optional().describe("The service's name, or several with weights. Exactly one of `to`, `redirect`, `respond`."),
  split: z
    .enum(['subject', 'address'])
    .optional()
    .describe('With several services in `to`: the same caller always gets the same one, and when weights change as few as possible move. Callers without identity are told apart by address. Default: drawn per request.'),
  mirror: z
    .string()
    .optional()
    .describe(
      'A service that gets a copy of every request, with X-Velum-Mirror on it, and whose answers are dropped. Copies are best effort: at most 64 under way per route and worker, none that slows the service, no limits charged; of the caller the service is told what its own `identity` says. Default: none.',
    ),
  rewrite: z
    .strictObject({
      path: z
        .string()
        .optional()
        .describe('The path that the service sees; {x} and ** stand for what the match caught.')
        .meta({ examples: ['/v2/{id}', '/**'] }),
      host: z.string().min(1).optional().describe('The Host that the service sees. Default: the one that the client asked for.'),
      query: z
        .strictObject({
          only: z.array(z.string().min(1)).readonly().optional().describe("The client's parameters that stay. Default: all."),
          remove: z.array(z.string().min(1)).readonly().optional().describe("The client's parameters that go, however they are spelt."),
          set: z
            .record(z.string().min(1), z.string())
            .optional()
            .describe('Parameters that get exactly this value, behind all others; {x} stands for what the match caught.'),
        })
        .optional()
        .describe('Changes to the query. What stays, stays byte for byte. Default: it is kept.')
        .meta({ examples: [{ remove: ['debug'], set: { version: '2' } }] }),
    })
    .optional()
    .describe('What the service sees in place of what the client asked for.'),
  bridge: bridgeSchema
    .optional()
    .describe('Protocols of the edge that are translated to the gRPC of the service, which needs `protos`, `descriptors` or `reflection`. gRPC itself passes without a bridge.')
    .meta({ examples: ['rest'] }),
  graphql: graphqlGuardSchema
    .optional()
    .describe('The service speaks GraphQL itself: operations are read and judged before it sees them, and go on as they came. POST and GET; no WebSocket, no batches.')
    .meta({ examples: [true, { limits: { depth: 8 } }] }),
  redirect: redirectSchema.optional().describe('Sends the client elsewhere. Exactly one of `to`, `redirect`, `respond`.'),
  respond: respondSchema.optional().describe('Answers right here. Exactly one of `to`, `redirect`, `respond`.'),
  limits: limitsSchema
    .optional()
    .describe("Names of limits, or { use, cost, shadow }; they add to those of `defaults`. { only: [...] } drops the defaults'."),
  priority: prioritySchema
    .optional()
    .describe(
      'Who goes first when a service with `concurrency` is short of capacity: `sheddable` requests are refused first, `critical` ones last; each priority keeps a fifth of the places from those below it. Default: default.',
    ),
  timeout: duration('1ms', '1d')
    .optional()
    .describe("To the head of the service's answer, over all tries. Default: only the service's own timeout, per try."),
  deadline: duration('1ms', '1d')
    .optional()
    .describe(
      'From the first byte of the request to the last of the answer, streams and upgraded connections included: what is not over by then is cut off. Default: none.',
    ),
  onStoreFailure: onStoreFailureSchema
    .optional()
    .describe(
      'What becomes of sessions and tokens while it cannot be known what has been revoked: `closed` answers 503, { stale } goes on for so long with callers whom this node knows. Default: closed.',
    ),
})

/** A route: which requests, whereto, and what stands in between. */
export const routeSchema = z.strictObject({ ...ownRouteSchema.shape, ...policyShape })
