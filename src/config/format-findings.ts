import { relative, isAbsolute } from 'node:path'
import type { Finding } from './finding.ts'

/** Findings for people: one block each — where, what is wrong, what would be right — and a line that counts them. */
export function formatFindings(findings: readonly Finding[], folder: string = process.cwd()): string {
  if (findings.length === 0) return ''
  const blocks = findings.map((finding) => {
    const place = [finding.line, finding.column]
      .filter((n) => n !== undefined)
      .map((n) => `:${n}`)
      .join('')
    const at = finding.path === '' ? '' : `  ${finding.path}`
    const of = finding.gateway === undefined ? '' : `  (gateway ${finding.gateway})`
    return `${shortName(finding.file, folder)}${place}${at}${of}\n  ${finding.severity}: ${finding.message}\n  remedy: ${finding.remedy}\n`
  })
  return `${blocks.join('\n')}\n${countText(findings)}\n`
}

/** `2 errors, 1 warning`. */
export function countText(findings: readonly Finding[]): string {
  const errors = findings.filter((finding) => finding.severity === 'error').length
  const warnings = findings.length - errors
  const parts: string[] = []
  if (errors > 0) parts.push(errors === 1 ? '1 error' : `${errors} errors`)
  if (warnings > 0) parts.push(warnings === 1 ? '1 warning' : `${warnings} warnings`)
  return parts.length === 0 ? 'no problems' : parts.join(', ')
}

/** The file as one would type it from `folder`, when it lies there. */
function shortName(file: string, folder: string): string {
  const short = relative(folder, file)
  return short === '' || short.startsWith('..') || isAbsolute(short) ? file : short
}
