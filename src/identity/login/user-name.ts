/** A name that no user can have; the message says why. */
export class UserNameFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UserNameFault'
  }
}

const maxLength = 128
/** Letters, digits and marks of any script, and what stands in mail addresses. */
const pattern = /^[\p{L}\p{N}\p{M}._@+-]+$/u

/**
 * The one form of a user's name: compatibility forms and case are folded, so that nobody can pass for another by how a name is
 * written (after RFC 8265 §3.3). Undefined for what can be nobody's name.
 */
export function userNameForm(typed: string): string | undefined {
  if (typed.length > maxLength || !typed.isWellFormed()) return undefined
  const form = typed.trim().normalize('NFKC').toLowerCase().normalize('NFC')
  return form.length > 0 && form.length <= maxLength && pattern.test(form) ? form : undefined
}

/** As `userNameForm`, for a name that is to be given; throws a `UserNameFault`. */
export function parseUserName(typed: string): string {
  const form = userNameForm(typed)
  if (form === undefined) throw new UserNameFault('a user name is 1 to 128 letters, digits and . _ @ + -, without spaces')
  return form
}
