import { z } from 'zod'
import { largestAmount } from '../../limits/limit-fault.ts'
import { duration, name, rate } from './units.ts'

const amount = (text: string): z.ZodType<number, number> => z.int().min(1).max(largestAmount).describe(text)

const keyPartPattern = /^(?:address|subject|tenant|client|route|service|header:[!#$%&'*+\-.^`|~0-9A-Za-z]+|claim:.+)$/

const keyPart = z
  .string()
  .meta({ pattern: keyPartPattern.source, examples: ['address', 'tenant', 'header:x-plan'] })
  .superRefine((text, context) => {
    if (keyPartPattern.test(text)) return
    const remedy = 'use address, subject, tenant, client, route, service, header:NAME or claim:NAME'
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 80))} is not a key part`, params: { remedy } })
  })

const settlePattern = /^response-header:[!#$%&'*+\-.^`|~0-9A-Za-z]+$/

const settle = z
  .string()
  .meta({ pattern: settlePattern.source, examples: ['response-header:x-cost'] })
  .superRefine((text, context) => {
    if (settlePattern.test(text)) return
    const message = `${JSON.stringify(text.slice(0, 80))} does not say where the cost is told`
    context.addIssue({ code: 'custom', message, params: { remedy: 'use response-header:NAME' } })
  })

/** What a request takes: a number, or a reservation that the answer settles. */
export const costSchema = z.union([
  z.int().min(1).max(largestAmount),
  z.strictObject({
    reserve: amount('What is taken when the request comes, and stays taken if the answer says nothing.'),
    settle: settle.describe("Where the service tells what the request really cost: a header field of its answer. The difference is given back, or goes into debt."),
  }),
])

const limitUse = z.strictObject({
  use: z.string().describe('The name of a limit.'),
  cost: costSchema.optional().describe("How much a request takes, or what is reserved until the answer tells. Default: the limit's own cost."),
  shadow: z.boolean().optional().describe('Decides and reports here, but never refuses.'),
})

/** Names of limits, or a limit with what is special about it here. */
export const limitUses = z.array(z.union([z.string(), limitUse]))

const common = {
  per: z
    .array(keyPart)
    .optional()
    .describe('Whose budget it is: address, subject, tenant, client, route, service, header:NAME, claim:NAME. Several make one combined key. Default: one global budget.'),
  missing: z
    .enum(['shared', 'skip', 'refuse'])
    .optional()
    .describe('What happens to a request without a key part: it shares one budget with its like, is not limited, or is refused. Default: shared.'),
  cost: costSchema.optional().describe('How much a request takes, or what is reserved until the answer tells. Default: 1.'),
  shadow: z.boolean().optional().describe('Decides and reports, but never refuses. Default: false.'),
  tolerance: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('Allowed overshoot over a fleet, as a fraction of the limit; 0 is exact, at the price of a store call. Queues and concurrency are always exact; at the edge of a listener each node counts for itself. Default: 0.05.'),
  fields: z
    .array(z.enum(['ratelimit', 'x-ratelimit', 'x-ratelimit-epoch']))
    .optional()
    .describe('Header fields that tell callers how they stand: RateLimit and RateLimit-Policy; X-RateLimit-* with seconds to go, or since 1970. Default: the first.'),
  retryJitter: duration('1s', '1h')
    .optional()
    .describe('Up to so much later than needed, by chance, a refused client is told to come back, so that those who were refused together do not return together; never earlier. Default: not at all.'),
  onStoreFailure: z
    .enum(['local', 'open', 'closed'])
    .optional()
    .describe('When the store cannot be reached: each node counts for itself, nothing is limited, or everything is refused. Default: local.'),
}

const windowed = <A extends 'sliding-log' | 'sliding-window'>(algorithm: A, doc: string) =>
  z
    .strictObject({
      algorithm: z.literal(algorithm),
      limit: amount('Requests per window.'),
      window: duration().describe('How long a window lasts.'),
      ...common,
    })
    .describe(doc)

/** A limit, told apart by its algorithm. */
export const limitSchema = z.discriminatedUnion('algorithm', [
  z
    .strictObject({
      algorithm: z.literal('token-bucket'),
      capacity: amount('The largest burst.'),
      refill: rate().describe('How fast the budget comes back.'),
      ...common,
    })
    .describe('A bucket that holds `capacity` and is refilled at `refill`. Bursts pass, the average is bounded.'),
  z
    .strictObject({
      algorithm: z.literal('leaky-bucket'),
      capacity: amount('How much the bucket holds.'),
      leak: rate().describe('How fast it empties.'),
      mode: z.enum(['meter', 'queue']).optional().describe('Refuse what does not fit, or let it wait. Default: meter.'),
      ...common,
    })
    .describe('A bucket that leaks at `leak`; what would overflow is refused, or waits for its turn.'),
  z
    .strictObject({
      algorithm: z.literal('fixed-window'),
      limit: amount('Requests per window.'),
      window: duration().describe('How long a window lasts.'),
      aligned: z
        .boolean()
        .optional()
        .describe('Windows begin at multiples of their length since 1970, not with the first request. Default: false.'),
      ...common,
    })
    .describe('A count that starts again with each window. Cheap, but twice the limit can pass around its border.'),
  windowed('sliding-log', 'Exact over every span of `window`: the time of each request is kept. For small limits.'),
  windowed('sliding-window', 'Two neighbouring counts, weighted: nearly exact over every span of `window`, at constant cost.'),
  z
    .strictObject({ algorithm: z.literal('concurrency'), limit: amount('Requests under way at one time.'), ...common })
    .describe('Bounds how many requests are under way at the same time.'),
  z
    .strictObject({
      algorithm: z.literal('quota'),
      limit: amount('Requests per period.'),
      period: z.enum(['day', 'month']).describe('A calendar day or month in UTC.'),
      ...common,
    })
    .describe('A contract with a customer: so many requests per calendar day or month.'),
])

/** The limits by name. */
export const limitsSchema = z.record(name(), limitSchema)
