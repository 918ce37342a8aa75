import { table } from '../../bench/support/table.ts'

/** One line of a proof: what was done to the gateway, what it promises then, and what was seen. */
export interface Promised {
  readonly done: string
  readonly promised: string
  readonly seen: string
  readonly holds: boolean
}

/**
 * Prints the lines of a proof as a table, with the words `holds` and `BROKEN`, and makes the process exit with 1 if one of
 * them is broken or if there is none at all: a proof that looked at nothing has shown nothing.
 */
export function printPromises(title: string, lines: readonly Promised[]): void {
  const rows = lines.map(({ done, promised, seen, holds }) => [done, promised, seen, holds ? 'holds' : 'BROKEN'])
  const broken = lines.filter(({ holds }) => !holds).length
  console.log(`\n${title}\n\n${table(['done', 'promised', 'seen', ''], rows)}\n`)
  console.log(`${lines.length} promises, ${broken} broken`)
  if (broken > 0 || lines.length === 0) process.exitCode = 1
}
