import { nearest } from '../lib/suggest.ts'
import { quoted } from '../lib/unit-error.ts'
import type { ConfigPath, Findings } from './finding.ts'

/** Reports a name that leads nowhere, with the one that was probably meant. Returns whether it is known. */
export function checkName(findings: Findings, path: ConfigPath, kind: string, name: string, known: readonly string[]): boolean {
  if (known.includes(name)) return true
  const meant = nearest(name, known)
  const section = kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`
  const all =
    known.length === 0 ? `define it under ${section}` : `use one of ${known.slice(0, 12).join(', ')}, or define it under ${section}`
  findings.error(path, `there is no ${kind} named ${quoted(name)}`, meant === undefined ? all : `did you mean "${meant}"?`)
  return false
}
