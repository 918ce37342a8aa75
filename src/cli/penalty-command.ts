import type { PenaltyDocument } from '../admin/penalty-endpoints.ts'
import { parseDuration } from '../lib/duration.ts'
import { UnitError } from '../lib/unit-error.ts'
import type { PenaltyOrder } from '../limits/penalty-order.ts'
import type { Arguments, Command } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, textOption, UsageError } from './command.ts'
import { loadModel } from './load-model.ts'
import { oneLine } from './one-line.ts'
import type { PenaltyOffice } from './penalty-office.ts'
import { openPenaltyOffice } from './penalty-office.ts'
import { table } from './table.ts'

type Run = (office: PenaltyOffice) => Promise<PenaltyDocument | readonly PenaltyDocument[]>

const verbs: Readonly<Record<string, (args: Arguments) => Run>> = {
  list: (args) => {
    if (args.positionals.length > 1) throw new UsageError('"velum penalty list" takes no name')
    return (office) => office.list()
  },
  add: (args) => {
    const order = orderOf(args)
    return (office) => office.add(order)
  },
  lift: (args) => {
    const [, id, further] = args.positionals
    if (id === undefined || further !== undefined) throw new UsageError('give one id, as "velum penalty list" shows it')
    return (office) => office.lift(id)
  },
}

export const penaltyCommand: Command = {
  usage: 'list | add NAME PART=VALUE... [--for DURATION] [--reason TEXT] | lift ID   (such as add abusive address=192.0.2.7)',
  options: {
    config: configOption,
    only: onlyOption,
    for: {
      type: 'string',
      value: 'DURATION',
      help: "How long, such as 10m or 30d. Default: what the penalty's configuration says.",
    },
    reason: { type: 'string', value: 'TEXT', help: 'Why, for whoever reads the list later.' },
    json: jsonOption,
  },
  maxPositionals: 12,
  async run(args, io) {
    const [verb = ''] = args.positionals
    const prepare = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
    if (prepare === undefined) throw new UsageError('say what to do: list, add, lift (see "velum help penalty")')
    const run = prepare(args)
    const loaded = await loadModel(args, io)
    if (loaded === undefined) return exitCode.input
    const office = await openPenaltyOffice(loaded.model, io)
    try {
      const found = await run(office)
      if (args.options['json'] === true) io.out(`${JSON.stringify(found, undefined, 2)}\n`)
      else if (isList(found)) io.out(table(['ID', 'WHO', 'UNTIL', 'BY', 'REASON'], found.map(cells)))
      else if (verb === 'add') io.out(`${whoText(found)} is boxed as ${found.penalty} until ${found.until} (${found.id})\n`)
      else io.out(`${whoText(found)} is no longer boxed as ${found.penalty}\n`)
      return exitCode.done
    } finally {
      await office.close()
    }
  },
}

function isList(found: PenaltyDocument | readonly PenaltyDocument[]): found is readonly PenaltyDocument[] {
  return Array.isArray(found)
}

function orderOf(args: Arguments): PenaltyOrder {
  const [, penalty, ...pairs] = args.positionals
  if (penalty === undefined || pairs.length === 0) {
    throw new UsageError('say which penalty and for whom: velum penalty add abusive address=192.0.2.7')
  }
  const who = new Map<string, string>()
  for (const pair of pairs) {
    const end = pair.indexOf('=')
    if (end < 1) throw new UsageError(`${JSON.stringify(pair)} is not PART=VALUE, such as address=192.0.2.7`)
    who.set(pair.slice(0, end), pair.slice(end + 1))
  }
  const lasting = textOption(args, 'for')
  let forMs: number | undefined
  try {
    forMs = lasting === undefined ? undefined : parseDuration(lasting)
  } catch (thrown) {
    if (thrown instanceof UnitError) throw new UsageError(`--for: ${thrown.message}; ${thrown.remedy}`)
    throw thrown
  }
  return { penalty, who: Object.fromEntries(who), forMs, reason: textOption(args, 'reason') ?? '' }
}

function cells(penalty: PenaltyDocument): string[] {
  return [penalty.id, whoText(penalty), penalty.until.replace(/\.\d+Z$/, 'Z'), penalty.by, oneLine(penalty.reason)]
}

function whoText({ who }: PenaltyDocument): string {
  return Object.entries(who)
    .map(([part, value]) => `${part}=${oneLine(value)}`)
    .join(' ')
}
