import { z } from 'zod'
import { duration } from './units.ts'

/** What `balance.hash` may be; names of cookies know case, those of header fields do not. */
export const hashKeyPattern = /^(?:subject|address|header:[!#$%&'*+\-.^`|~0-9A-Za-z]+|cookie:[!#$%&'*+\-.^_`|~0-9A-Za-z]+)$/

const hashKey = z
  .string()
  .meta({ pattern: hashKeyPattern.source, examples: ['subject', 'address', 'header:x-cart', 'cookie:sid'] })
  .superRefine((text, context) => {
    if (hashKeyPattern.test(text)) return
    const remedy = 'use subject, address, header:NAME or cookie:NAME'
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 80))} cannot be hashed`, params: { remedy } })
  })

/** How a request finds its target. */
export const balanceSchema = z
  .union([
    z.enum(['round-robin', 'least-requests']),
    z.strictObject({
      hash: hashKey.describe(
        'What decides: subject (who is calling), address (of the client), header:NAME or cookie:NAME of the request. Who has the same value gets the same target while it can be reached; when one leaves or comes back, only its own share moves. A request without it gets its target by round-robin.',
      ),
    }),
  ])
  .describe('How a request finds its target: in turn, the less busy of two, or by consistent hashing; all of them by weight. Default: round-robin.')

/** How targets are asked whether they are well. */
export const healthSchema = z
  .strictObject({
    path: z
      .string()
      .regex(/^\/[!-~]*$/, 'a path begins with "/" and has no spaces')
      .optional()
      .describe('Asked with GET; 200 to 299 is well. Default: none, an open connection is enough.'),
    grpc: z
      .string()
      .max(100)
      .regex(/^[A-Za-z0-9_.\-/]*$/, 'the name of a gRPC service is made of letters, digits, dots, "_", "-" and "/"')
      .optional()
      .describe('Asked by grpc.health.v1.Health/Check about this service, or with "" about the whole target; SERVING is well. For targets of HTTP/2, in place of `path`. Default: not asked.'),
    every: duration('100ms', '1h').optional().describe('From the end of one probe to the next. Default: 10s.'),
    timeout: duration('10ms', '1m').optional().describe('For one probe. Default: 2s.'),
    rise: z.int().min(1).max(100).optional().describe('Successes in a row that bring a target back. Default: 2.'),
    fall: z.int().min(1).max(100).optional().describe('Failures in a row that take a target out. Default: 3.'),
  })
  .describe('Asks each target, once per node, whether it is well; one that is not gets no requests while another one is.')

/** When a target is left out for failures in a row. */
export const ejectSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      failures: z.int().min(1).max(1000).optional().describe('Failures in a row, as one worker sees them, that leave a target out. Default: 5.'),
      for: duration('100ms', '5m')
        .optional()
        .describe('For how long, the first time; doubled each further time, up to 5 minutes. Default: 10s.'),
    }),
  ])
  .describe(
    'When a target is left out because of how it answers: no connection, resets, timeouts, nonsense, 502, 503 or 504 in a row, or "unavailable" in gRPC. When all are out, all are sent to; those that cannot be reached get one request at a time, and all others are refused with 503 at once. `false`: never, and there are no circuit breakers either unless `breaker` asks for them.',
  )

const ratio = z.number().min(0.01).max(1)

/** When circuit breakers open. */
export const breakerSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      failureRatio: ratio.optional().describe('Opens when this share of the calls in the window failed, as `eject` counts failures. Default: 0.5.'),
      slow: duration('1ms', '1d')
        .optional()
        .describe("A call whose answer's head takes as long as that is slow. Default: slowness opens nothing."),
      slowRatio: ratio.optional().describe('Opens when this share of the calls in the window was slow; needs `slow`. Default: 0.5.'),
      window: duration('1s', '10m').optional().describe('How far back calls are counted. Default: 10s.'),
      minimumCalls: z.int().min(1).max(100_000).optional().describe('With fewer calls in the window, on one worker, nothing opens. Default: 20.'),
      for: duration('100ms', '10m').optional().describe('How long it stays open. Then a few calls are let through as probes. Default: 5s.'),
      probes: z
        .int()
        .min(1)
        .max(100)
        .optional()
        .describe('Calls that must go well, all workers together, for it to close; the first that fails or is slow opens it again. Default: 3.'),
      service: z
        .boolean()
        .optional()
        .describe('Whether the service as a whole has a breaker too: while it is open every request is refused at once, with 503 and Retry-After. It counts requests as their clients saw them, after all tries. Default: true.'),
    }),
  ])
  .describe(
    'Circuit breakers: who fails or is slow too often is left alone for a while. That of a target leaves it out while another one can be sent to, on all workers of the node; that of the service refuses its requests. Default: each target has one, with the defaults below, and the service has none, since refusing everybody because half of them fail is for you to choose. `false`: there are none.',
  )
