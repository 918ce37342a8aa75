import { jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { httpProblem } from '../core/problem.ts'
import type { ShadowOrder, ShadowOverride, ShadowSwitch } from '../gateway/shadow-switch.ts'
import { ShadowOrderError } from '../gateway/shadow-switch.ts'
import { parseDuration } from '../lib/duration.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { UnitError } from '../lib/unit-error.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf } from './endpoint.ts'

const maxBodyBytes = 4096
const defaultForMs = 3_600_000
const form = 'Send { "limit" or "penalty": NAME, "shadow": true or false, "route"?: NAME, "for"?: "1h" }'

/** Shadow on and off by hand: which limits and penalties are switched, until when; switching, and switching back. */
export function shadowEndpoints(shadows: Pick<ShadowSwitch, 'list' | 'set' | 'end'>): readonly Endpoint[] {
  const roles = ['admin'] as const
  return [
    {
      method: 'GET',
      path: '/api/shadows',
      roles,
      handle: () => jsonAnswer(200, { shadows: shadows.list().map(shadowDocument) }),
    },
    {
      method: 'POST',
      path: '/api/shadows',
      roles,
      async handle(x) {
        try {
          return jsonAnswer(200, shadowDocument(await shadows.set(await orderOf(x))))
        } catch (thrown) {
          if (!(thrown instanceof ShadowOrderError)) throw thrown
          return httpProblem({ name: 'invalid-content', detail: `${thrown.message}.` }, x.id)
        }
      },
    },
    {
      method: 'DELETE',
      path: '/api/shadows/{id}',
      roles,
      async handle(x) {
        const ended = await shadows.end(pathOf(x).split('/').at(-1)!)
        return ended === undefined
          ? httpProblem({ name: 'no-route', detail: 'Nothing is switched under this id.' }, x.id)
          : jsonAnswer(200, shadowDocument(ended))
      },
    },
  ]
}

/** An override as operators read it, with times in ISO 8601. */
function shadowDocument({ id, kind, name, route, shadow, at, until }: ShadowOverride): unknown {
  return { id, [kind]: name, route, shadow, at: new Date(at).toISOString(), until: new Date(until).toISOString() }
}

async function orderOf(x: Exchange): Promise<ShadowOrder> {
  const value = parseStrictJson(await readAll(x.body, maxBodyBytes))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ShadowOrderError(form)
  const { limit, penalty, route, shadow, for: lasting, ...others } = value as Readonly<Record<string, unknown>>
  const name = limit ?? penalty
  if (Object.keys(others).length > 0 || typeof name !== 'string' || typeof shadow !== 'boolean') throw new ShadowOrderError(form)
  if (limit !== undefined && penalty !== undefined) throw new ShadowOrderError(form)
  if (route !== undefined && typeof route !== 'string') throw new ShadowOrderError(form)
  return { kind: limit === undefined ? 'penalty' : 'limit', name, route, shadow, forMs: lastingMs(lasting) }
}

function lastingMs(lasting: unknown): number {
  if (lasting === undefined) return defaultForMs
  if (typeof lasting !== 'string') throw new ShadowOrderError(form)
  try {
    return parseDuration(lasting)
  } catch (thrown) {
    if (thrown instanceof UnitError) throw new ShadowOrderError(`"for": ${thrown.message}`)
    throw thrown
  }
}
