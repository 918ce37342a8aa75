import type { Answer } from '../../core/answer.ts'
import { END } from '../../core/body.ts'
import type { Body } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import { isOwnCookieLine } from '../../identity/protected-headers.ts'

type Lines = readonly (readonly [name: string, value: string])[]

/** What an external authoriser said, as far as it may be handed on. */
export interface ExternalDecision {
  readonly isAllowed: boolean
  readonly status: number
  /** For the service, of a permission. */
  readonly toService: Lines
  /** For the client, of a refusal. */
  readonly toClient: Lines
  /** For how long it may be kept, by its own word: Infinity where it says nothing. */
  readonly keepMs: number
}

/** Statuses that refuse; a redirect only when it says whereto. */
const refusing = new Set([401, 403, 404, 429])
const redirecting = new Set([302, 303, 307])

/** Lines of one answer that are handed on, at most. */
const maxLines = 64
/** More than any header could carry on to a service. */
const maxChars = 8192

/**
 * Reads an answer: 2xx permits, 401, 403, 404, 429 and a redirect refuse. Anything else decides nothing, and throws
 * `service-nonsense`; so does more than 8 KiB of what is to be handed on.
 */
export function readDecision(answer: Answer, toService: readonly string[], toClient: readonly string[]): ExternalDecision {
  void drain(answer.body)
  const { status, headers } = answer
  const isAllowed = status >= 200 && status < 300
  const isRedirect = redirecting.has(status) && toClient.includes('location') && headers.all('location').length === 1
  if (!isAllowed && !isRedirect && !refusing.has(status))
    throw new Fault('service-nonsense', `the authoriser answered ${status}, which decides nothing`)
  return {
    isAllowed,
    status,
    toService: isAllowed ? linesOf(answer, toService) : [],
    toClient: isAllowed ? [] : linesOf(answer, isRedirect ? toClient : toClient.filter((name) => name !== 'location')),
    keepMs: keepMsOf(headers.get('cache-control')),
  }
}

function linesOf({ headers }: Answer, names: readonly string[]): Lines {
  const lines = names.flatMap((name) => headers.all(name).map((value): readonly [string, string] => [name, value]))
  // Whoever decides about requests is not thereby who may log people in here.
  const kept = lines.filter(([name, value]) => name !== 'set-cookie' || !isOwnCookieLine(value))
  const chars = kept.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (kept.length > maxLines || chars > maxChars)
    throw new Fault('service-nonsense', 'the authoriser hands on more than 8 KiB of headers')
  return kept
}

function keepMsOf(cacheControl: string | undefined): number {
  if (cacheControl === undefined) return Infinity
  if (/(?:^|[,\s])no-(?:store|cache)\b/i.test(cacheControl)) return 0
  const age = /(?:^|[,\s])max-age="?(\d{1,10})/i.exec(cacheControl)?.[1]
  return age === undefined ? Infinity : Number(age) * 1000
}

/** Content that is read although nobody wants it, so that the connection can be used again. */
const maxDrainedBytes = 16_384

async function drain(body: Body): Promise<void> {
  if (body.bytes !== undefined) return
  try {
    let left = maxDrainedBytes
    for (let chunk = await body.pull(); chunk !== END; chunk = await body.pull()) {
      left -= chunk.length
      if (left < 0) return body.cancel(new Fault('cancelled', 'nobody reads what an authoriser says besides'))
    }
  } catch {
    // It has decided; how its content ends changes nothing.
  }
}
