import type { GatewayModel } from '../config/model.ts'
import { systemClock } from '../core/clock.ts'
import { completeExplanation } from './explain-services.ts'
import type { ExplainedStep, ExplainQuestion, Explanation } from './explanation.ts'
import { openInProcess } from './in-process.ts'

/** Verdicts that only say that nobody could be asked. */
const notAsked = new Set(['keys-unavailable', 'revocations-unknown', 'store-unavailable', 'store-down'])

/**
 * Explains a request by a configuration alone: limits at their fresh level, nobody in the penalty box, and what only a
 * store or an issuer knows is unknown. Rejects with a QuestionError, or with what keeps the configuration from being served.
 */
export async function explainOffline(model: GatewayModel, question: ExplainQuestion): Promise<Explanation> {
  const gateway = await openInProcess({ model, clock: systemClock })
  try {
    const told = completeExplanation(await gateway.generation.explain!(question), question, model, undefined)
    const notes = ['No gateway was asked: limits are at their fresh level, and nobody is in the penalty box.', ...told.notes]
    if (told.services.length > 0) notes.push('How the service stands is known to a running gateway only.')
    return withoutStore({ ...told, notes })
  } finally {
    gateway.close()
  }
}

/** A credential that could not be judged here might well be valid where the store and the issuers are. */
function withoutStore(told: Explanation): Explanation {
  if (!told.steps.some(({ code }) => notAsked.has(code))) return told
  const steps: ExplainedStep[] = []
  let outcome: ExplainedStep | undefined
  for (const step of told.steps) {
    const { status: _, problem: _problem, retryAfter: _retryAfter, ...rest } = step
    const words = 'Without a running gateway nobody can tell: sessions, revocations and keys of issuers are not asked for.'
    const known = notAsked.has(step.code) ? { ...rest, decision: 'unknown' as const, words } : step
    const added = { ...known, isReached: outcome === undefined }
    steps.push(added)
    if (added.decision === 'refuses' || added.decision === 'answers') outcome ??= added
  }
  const notes = [...told.notes, 'Name a caller (--subject) to see what would be decided for one whose credential is valid.']
  return { ...told, steps, outcome, notes }
}
