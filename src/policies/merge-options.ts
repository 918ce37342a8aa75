// How a route's options join those of `defaults`, as both were written. Free of everything that policies run with: a
// configuration file that is evaluated joins what a platform and a team say in the same way.
import type { BodyInput } from './body.ts'
import type { CustomUseInput } from './custom.ts'
import type { HeaderEditsInput, HeadersInput } from './headers.ts'
import { mergeByKey } from './policy-kind.ts'

/** What two ways of saying the form of a body have in common: of them a route has one. */
const forms = ['schema', 'openapi'] as const

/** What a route says of the form replaces what `defaults` say of it, whole; all else is merged by key. */
export function mergeBody(defaults: BodyInput, own: BodyInput): BodyInput {
  const kept: Record<string, unknown> = { ...defaults }
  if (forms.some((form) => own[form] !== undefined)) for (const form of forms) delete kept[form]
  return mergeByKey(kept, own) as BodyInput
}

/** By key, names in lower case, so that defaults and a route's own edits of one name meet. */
export function mergeHeaders(defaults: HeadersInput, own: HeadersInput): HeadersInput {
  return mergeByKey(foldNames(defaults), foldNames(own)) as HeadersInput
}

/** The long form with names in lower case. */
function foldNames(input: HeadersInput): HeadersInput {
  if (input === 'secure') return { secure: true }
  if (typeof input !== 'object' || input === null) return input
  return { ...input, ...foldedEdits('request', input.request), ...foldedEdits('response', input.response) }
}

function foldedEdits(
  part: 'request' | 'response',
  edits: HeaderEditsInput | undefined,
): Partial<Record<typeof part, HeaderEditsInput>> {
  if (typeof edits !== 'object' || edits === null) return {}
  const folded: Record<string, unknown> = { ...edits }
  for (const key of ['set', 'add'] as const) {
    const lines: unknown = edits[key]
    if (typeof lines !== 'object' || lines === null || Array.isArray(lines)) continue
    folded[key] = Object.fromEntries(Object.entries(lines).map(([name, value]) => [name.toLowerCase(), value]))
  }
  return { [part]: folded }
}

/** Custom policies of both, the lower ones first; of one that both name, the upper use counts. What is no list is for the check to say. */
export function mergePolicies(defaults: readonly CustomUseInput[], own: readonly CustomUseInput[]): readonly CustomUseInput[] {
  if (!Array.isArray(own)) return own
  const names = new Set(own.map(policyName))
  return [...defaults.filter((use) => !names.has(policyName(use))), ...own]
}

function policyName(use: CustomUseInput | null): string | undefined {
  return typeof use === 'string' ? use : use?.use
}
