import { z } from 'zod'
import { AddressError, parseCidr } from '../lib/address.ts'
import { durationPattern, parseDuration } from '../lib/duration.ts'
import { parseSize, sizePattern } from '../lib/size.ts'
import { UnitError } from '../lib/unit-error.ts'
import { parseMediaRange } from './media-types.ts'

/** Text that `read` turns into a value; what it throws becomes an issue with its remedy. */
function readBy<T>(text: z.ZodString, read: (text: string) => T): z.ZodType<T, string> {
  return text.transform((value, context) => {
    try {
      return read(value)
    } catch (thrown) {
      if (!(thrown instanceof UnitError) && !(thrown instanceof AddressError)) throw thrown
      context.addIssue({ code: 'custom', message: thrown.message, params: { remedy: thrown.remedy } })
      return z.NEVER
    }
  })
}

/** A duration such as `10m`, in milliseconds. */
export const durationOption = readBy(z.string().meta({ pattern: durationPattern, examples: ['250ms', '5s', '10m'] }), parseDuration)

/** A size such as `64kb`, in bytes. */
export const sizeOption = readBy(z.string().meta({ pattern: sizePattern, examples: ['512b', '64kb', '10mb'] }), parseSize)

/** An address or CIDR block, in canonical text. */
export const cidrOption = readBy(z.string().meta({ examples: ['192.0.2.7', '10.0.0.0/8', '2001:db8::/32'] }), parseCidr)

/** A text without control characters, edge spaces and anything beyond latin1: what a field value may hold (RFC 9110 §5.5). */
const fieldValue = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/

/** Whether a text can be the value of a header line. */
export function isFieldValue(text: string): boolean {
  return fieldValue.test(text)
}

/** Whether a text can be the name of one. */
export function isFieldName(text: string): boolean {
  return headerName.test(text)
}

/** The value of a header line. */
export const headerValueOption: z.ZodType<string, string> = z.string().superRefine((text, context) => {
  if (fieldValue.test(text)) return
  const remedy = 'leave out line breaks, other control characters, edge spaces and characters beyond latin1'
  context.addIssue({ code: 'custom', message: 'this cannot stand in a header line', params: { remedy } })
})

const headerName = /^[A-Za-z0-9!#$%&'*+.^`|~-]+$/

/** A header name, in lower case. `_` is refused: behind CGI-like naming it cannot be told from `-`. */
export const headerNameOption: z.ZodType<string, string> = z
  .string()
  .meta({ examples: ['x-team', 'cache-control'] })
  .superRefine((text, context) => {
    if (headerName.test(text)) return
    const remedy = 'use letters, digits and "-"'
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 60))} is not a header name`, params: { remedy } })
  })
  .transform((text) => text.toLowerCase())

/** A media range such as `application/json` or `image/*`, in lower case. */
export const mediaRangeOption = z
  .string()
  .meta({ examples: ['application/json', 'image/*', 'application/*+json'] })
  .transform((text, context) => {
    const range = parseMediaRange(text)
    if (range !== undefined) return range
    const remedy = 'write a type such as application/json, image/* or application/*+json, without parameters'
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 60))} is not a media type`, params: { remedy } })
    return z.NEVER
  })
