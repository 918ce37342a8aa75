import type { z } from 'zod'

/** Where a policy's options are at fault, as `path: message`; the branches of a union each have their say. */
export function optionFaults(options: z.ZodType, input: unknown): string[] {
  const result = options.safeParse(input)
  return result.success ? [] : result.error.issues.flatMap((issue) => worded(issue, []))
}

function worded(issue: z.core.$ZodIssue, before: readonly PropertyKey[]): string[] {
  const path = [...before, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return issue.errors.flat().flatMap((inner) => worded(inner, path))
  }
  return [`${path.join('.')}: ${issue.message}`]
}
