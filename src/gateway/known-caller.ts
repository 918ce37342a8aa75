import type { UserAdmin } from '../identity/login/user-admin.ts'
import type { ExplainQuestion } from './explanation.ts'

/** A question whose caller is filled in, and what is to be said about that. */
export interface KnownCaller {
  readonly question: ExplainQuestion
  readonly notes: readonly string[]
}

/**
 * Fills in what the store knows of the person that a question names, by subject or by the name that they log in with:
 * tenant and roles, as far as the question leaves them out.
 */
export async function knownCaller(question: ExplainQuestion, users: Pick<UserAdmin, 'list'> | undefined): Promise<KnownCaller> {
  const { caller } = question
  if (caller === undefined || users === undefined || caller.roles !== undefined || caller.scopes !== undefined) {
    return { question, notes: [] }
  }
  let rows: Awaited<ReturnType<typeof users.list>>
  try {
    rows = await users.list()
  } catch {
    return { question, notes: [`The store does not answer: nothing is known of an account of ${caller.subject}.`] }
  }
  const user = rows.find(({ subject, name }) => subject === caller.subject || name === caller.subject)
  if (user === undefined) return { question, notes: [] }
  const { subject, name, roles, tenant, isEnabled } = user
  const known = { ...caller, subject, roles, tenant: caller.tenant ?? tenant }
  const facts = [...(known.tenant === undefined ? [] : [`tenant ${known.tenant}`]), `roles ${roles.join(', ') || '(none)'}`]
  const notes = [`${name} is taken to be the person who logs in by that name: ${facts.join(', ')}.`]
  if (!isEnabled) notes.push(`${name} is disabled, and cannot log in.`)
  return { question: { ...question, caller: known }, notes }
}
