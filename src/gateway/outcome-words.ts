import type { Explanation } from './explanation.ts'
import type { RequestRow } from './request-row.ts'

/** How a request that is explained would end, in one sentence: by which policy and code, and where the rule stands. */
export function outcomeWords({ outcome, services, steps }: Pick<Explanation, 'outcome' | 'services' | 'steps'>): string {
  if (outcome === undefined) {
    const unknown = steps.filter(({ decision }) => decision === 'unknown').map(({ policy }) => policy)
    const where = services.length === 0 ? '' : ` to ${services.map(({ name }) => name).join(' or ')}`
    return unknown.length === 0 ? `It passes${where}.` : `It passes${where}, if ${[...new Set(unknown)].join(' and ')} lets it.`
  }
  const { decision, policy, code, source, status, words, retryAfter } = outcome
  const what = decision === 'answers' ? 'answered' : 'refused'
  const wait = retryAfter === undefined ? '' : `, to be tried again after ${retryAfter} s`
  return `It is ${what}${status === undefined ? '' : ` with ${status}`} by ${policy} (${code})${source === '' ? '' : ` at ${source}`}${wait}: ${words}`
}

/** How a request that is kept ended, in one sentence. */
export function answeredWords({ status, refused, fault }: Pick<RequestRow, 'status' | 'refused' | 'fault'>): string {
  const why =
    refused !== undefined
      ? ` by ${refused.policy} (${refused.code}) at ${refused.source}${refused.label === undefined ? '' : `, label ${refused.label}`}`
      : fault === undefined
        ? ''
        : ` because of ${fault.code}: ${fault.why}`
  return `It was answered with ${status}${why}.`
}
