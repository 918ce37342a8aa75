import { z } from 'zod'
import { durationPattern, parseDuration } from '../../lib/duration.ts'
import { quoted, UnitError } from '../../lib/unit-error.ts'
import type { PenaltyThreshold } from '../../limits/penalty-spec.ts'
import { duration, name, unitText } from './units.ts'

const partPattern = /^(?:address|subject|tenant|client|header:[!#$%&'*+\-.^`|~0-9A-Za-z]+|claim:.+)$/

const part = z
  .string()
  .meta({ pattern: partPattern.source, examples: ['address', 'subject', 'header:x-app'] })
  .superRefine((text, context) => {
    if (partPattern.test(text)) return
    const remedy = 'use address, subject, tenant, client, header:NAME or claim:NAME'
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 80))} tells no client from another`, params: { remedy } })
  })

const mostRefusals = 1_000_000
const shortestWindowMs = 1000
const longestWindowMs = 86_400_000
const remedy = 'write such as "50 refusals in 1m"'

/** `50 refusals in 1m`. Throws UnitError. */
function parseThreshold(text: string): PenaltyThreshold {
  const match = /^([1-9][0-9]{0,8}) refusals? in (\S+)$/.exec(text)
  if (match === null) throw new UnitError(`${quoted(text)} does not say how many refusals in which time`, remedy)
  const refusals = Number(match[1])
  const windowMs = parseDuration(match[2])
  if (refusals > mostRefusals) throw new UnitError(`${quoted(text)} counts too far`, `use at most ${mostRefusals} refusals`)
  if (windowMs < shortestWindowMs || windowMs > longestWindowMs) {
    throw new UnitError(`${quoted(text)} counts over too ${windowMs < shortestWindowMs ? 'short' : 'long'} a time`, 'use 1s to 1d')
  }
  return { refusals, windowMs }
}

const threshold = unitText(parseThreshold, `^[1-9][0-9]* refusals? in ${durationPattern.slice(1)}`, ['50 refusals in 1m'])

/** When a client is boxed, and for how long. */
export const penaltySchema = z.strictObject({
  after: threshold
    .optional()
    .describe('How many refusals within a time box a client, counted on each node: 429 of limits, 401 of wrong credentials, 403; also of login. Not what services answer, not 503. Default: it is boxed by hand only.'),
  for: duration('1s').describe('For how long a client is boxed, on all nodes that share the store.'),
  per: z
    .array(part)
    .min(1)
    .optional()
    .describe('Who is boxed: address (of IPv6: one /64), subject, tenant, client, header:NAME, claim:NAME. Several make one combined key, so that one of many behind an address need not box the others; who lacks a part is not concerned. Behind a proxy that is not in trustedProxies all clients have one address. Default: address.'),
  answer: z
    .union([z.literal(429), z.literal(403)])
    .optional()
    .describe('What a boxed client gets: 429 with the end of the penalty in Retry-After, or 403. Default: 429.'),
  shadow: z.boolean().optional().describe('Boxes and reports, but never refuses. Default: false.'),
})

/** The penalties by name. */
export const penaltiesSchema = z.record(name(), penaltySchema)
