import { H, headerName } from '../core/header-names.ts'
import { headerBlock } from '../core/headers.ts'
import type { HeaderBlock, Headers } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'

/** Adds a name to Vary unless it is there or "*" is. `ready` is the line for the usual case: no Vary yet. */
export function addVary(headers: Headers, name: string, ready?: HeaderBlock): void {
  const existing = headers.get('vary')
  if (existing === undefined) {
    headers.put(ready ?? line(name))
    return
  }
  const names = new Set(existing.toLowerCase().split(',').map(trimSpace))
  const isThere = names.has('*') || names.has(name.toLowerCase())
  if (!isThere) headers.put(line(`${existing}, ${name}`))
}

function line(names: string): HeaderBlock {
  return headerBlock([[headerName(H.vary), names]])
}
