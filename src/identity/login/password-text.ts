/** How long a password may be, in characters; the bytes bound keeps hashing cheap to refuse. */
export const minPasswordLength = 8
export const maxPasswordBytes = 1024

/** A password that cannot be set; the message says why, and never holds it. */
export class PasswordFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PasswordFault'
  }
}

/**
 * A password in the one form in which it is hashed: NFC (RFC 8265 §4.2), so that the same keys on two machines mean the
 * same. Undefined for what can be nobody's password: empty, too large, or no well-formed text.
 */
export function passwordForm(typed: string): string | undefined {
  if (typed === '' || !typed.isWellFormed() || typed.length > maxPasswordBytes) return undefined
  const form = typed.normalize('NFC')
  return Buffer.byteLength(form) > maxPasswordBytes ? undefined : form
}

// Of the passwords that stuffing tries first, those that are long enough to be set at all.
const common: ReadonlySet<string> = new Set(
  `12345678 123456789 1234567890 11111111 00000000 87654321 12341234 password password1 password12 password123 passw0rd
   p@ssw0rd p@ssword qwertyui qwertyuiop qwerty123 qwerty12 1q2w3e4r 1qaz2wsx 1q2w3e4r5t asdfghjk asdfghjkl zxcvbnm1 abcd1234
   abc12345 abcdefgh abcdefghi iloveyou sunshine princess football baseball superman trustno1 welcome1 welcome123 letmein1
   letmein123 changeme changeme1 changeme123 admin123 admin1234 administrator master123 dragon123 monkey123 michael1 jennifer
   computer internet whatever starwars secret123 test1234 testtest test12345 guest123 default1 root1234 hello123 samsung1`
    .split(/\s+/)
    .filter((word) => word !== ''),
)

/**
 * The form of a password that may be set for a user of this name. Throws a `PasswordFault`: length and the commonest ones
 * are judged, composition is not (NIST SP 800-63B §3.1.1.2).
 */
export function parseNewPassword(typed: string, userName: string): string {
  const form = passwordForm(typed)
  if (form === undefined) throw new PasswordFault(`the password is empty, longer than ${maxPasswordBytes} bytes, or no text`)
  if (Array.from(form).length < minPasswordLength)
    throw new PasswordFault(`the password has fewer than ${minPasswordLength} characters`)
  const plain = form.toLowerCase()
  if (common.has(plain)) throw new PasswordFault('the password is among those that are tried first')
  if (plain === userName.toLowerCase()) throw new PasswordFault('the password is the name of the user')
  if (new Set(plain).size < 3) throw new PasswordFault('the password is one or two characters over and over')
  return form
}
