import { compileOnly } from '../gateway/compile-only.ts'
import type { RouteRow } from '../gateway/route-rows.ts'
import type { Command } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption } from './command.ts'
import { loadModel } from './load-model.ts'
import { table } from './table.ts'

export const routesCommand: Command = {
  usage: '[--config FILE] [--only NAME] [--json]',
  options: { config: configOption, only: onlyOption, json: jsonOption },
  maxPositionals: 0,
  async run(args, io) {
    const loaded = await loadModel(args, io)
    if (loaded === undefined) return exitCode.input
    const rows = compileOnly(loaded.model)
    if (args.options['json'] === true) io.out(`${JSON.stringify(rows, undefined, 2)}\n`)
    else io.out(table(['ROUTE', 'METHODS', 'HOSTS', 'PATHS', 'TO', 'POLICIES'], rows.map(cells)))
    return exitCode.done
  },
}

function cells(row: RouteRow): string[] {
  const conditions = row.conditions.length === 0 ? '' : ` (${row.conditions.join(', ')})`
  // One key of the configuration may come to several policies in a row.
  const policies = row.policies.map(({ name }) => name).filter((name, i, names) => name !== names[i - 1])
  return [
    row.name,
    any(row.methods),
    any(row.hosts),
    row.paths.join(' ') + conditions,
    row.to,
    policies.length === 0 ? '-' : policies.join(' → '),
  ]
}

function any(list: readonly string[]): string {
  return list.length === 0 ? '*' : list.join(',')
}
