import { ProviderUnreachable } from './provider-fetch.ts'

/** Whether the provider, or the way there, failed; not what it said. */
export function isUnreachable(thrown: unknown): boolean {
  for (let at: unknown = thrown, i = 0; at instanceof Error && i < 5; at = at.cause, i++)
    if (at instanceof ProviderUnreachable) return true
  return false
}

/** Few words for the audit log: the code of an error, or what a token fault says. Nothing that a provider wrote freely. */
export function reasonOf(thrown: unknown): string {
  const { code, error, name, message } = thrown as { code?: unknown; error?: unknown; name?: string; message?: string }
  if (typeof error === 'string' && /^[a-z_]{1,40}$/.test(error)) return error
  if (name === 'TokenFault') return String(message)
  return typeof code === 'string' && /^[\w.-]{1,60}$/.test(code) ? code : 'not-believed'
}

/** An error with what caused it, for the operational log. */
export function wordsOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? `${thrown.message}: ${thrown.cause.message}` : thrown.message
}
