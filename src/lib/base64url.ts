/**
 * The bytes of base64url without padding, or undefined for anything but the one spelling that encodes them. A lenient
 * reader takes several texts for the same bytes, and whoever keys something by the text is then deceived.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
