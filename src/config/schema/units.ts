import { z } from 'zod'
import { durationPattern, parseDuration } from '../../lib/duration.ts'
import { parseRate, ratePattern } from '../../lib/rate.ts'
import type { UnitRate } from '../../lib/rate.ts'
import { parseSize, sizePattern } from '../../lib/size.ts'
import { UnitError } from '../../lib/unit-error.ts'

/** A text with a unit, read by `parse`; the schema that editors see is the text's pattern. */
export function unitText<T>(parse: (text: string) => T, pattern: string, examples: readonly string[]): z.ZodType<T, string> {
  return z
    .string()
    .meta({ pattern, examples: [...examples] })
    .transform((text, context): T => {
      try {
        return parse(text)
      } catch (thrown) {
        if (!(thrown instanceof UnitError)) throw thrown
        context.addIssue({ code: 'custom', message: thrown.message, params: { remedy: thrown.remedy } })
        return z.NEVER
      }
    })
}

/** Milliseconds, between two bounds that are written as durations. */
export function duration(least = '1ms', most = '3650d'): z.ZodType<number, string> {
  const leastMs = parseDuration(least)
  const mostMs = parseDuration(most)
  return unitText(
    (text) => {
      const ms = parseDuration(text)
      if (ms < leastMs) throw new UnitError(`${JSON.stringify(text)} is too short`, `write ${least} or more`)
      if (ms > mostMs) throw new UnitError(`${JSON.stringify(text)} is too long`, `write ${most} or less`)
      return ms
    },
    durationPattern,
    ['250ms', '5s', '10m', '12h', '30d'],
  )
}

/** Bytes, between two bounds that are written as sizes. */
export function size(least = '0b', most = '1048576gb'): z.ZodType<number, string> {
  const leastBytes = parseSize(least)
  const mostBytes = parseSize(most)
  return unitText(
    (text) => {
      const bytes = parseSize(text)
      if (bytes < leastBytes) throw new UnitError(`${JSON.stringify(text)} is too small`, `write ${least} or more`)
      if (bytes > mostBytes) throw new UnitError(`${JSON.stringify(text)} is too large`, `write ${most} or less`)
      return bytes
    },
    sizePattern,
    ['512b', '64kb', '10mb', '1gb'],
  )
}

/** Units per period. */
export function rate(): z.ZodType<UnitRate, string> {
  return unitText(parseRate, ratePattern, ['2/s', '100/m', '5000/h', '100000/d'])
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** A name that a configuration gives to something: a label in log, metrics and messages. */
export function name(): z.ZodType<string, string> {
  return z
    .string()
    .meta({ pattern: namePattern.source })
    .superRefine((text, context) => {
      if (namePattern.test(text)) return
      context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 80))} cannot be a name`, params: { remedy: nameRemedy } })
    })
}

const nameRemedy = 'use letters, digits, "-", "_" and "." (at most 64), beginning with a letter or digit'

/** One value or a list of them; yields a list, empty never. */
export function oneOrMore<T>(item: z.ZodType<T>): z.ZodType<readonly T[]> {
  return z.union([item.transform((one) => [one]), z.array(item).min(1)])
}
