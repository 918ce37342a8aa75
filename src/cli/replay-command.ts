import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { formatFindings } from '../config/format-findings.ts'
import { loadGateway } from '../config/load.ts'
import type { GatewayModel } from '../config/model.ts'
import type { ReplayReport } from '../gateway/replay.ts'
import { replayLog } from '../gateway/replay.ts'
import { durationText } from '../lib/duration.ts'
import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, textOption, UsageError } from './command.ts'
import { oneLine } from './one-line.ts'

const defaultShown = 20

export const replayCommand: Command = {
  usage: '--log FILE --config NEW [--old OLD] [--only NAME] [--clients N] [--json]',
  options: {
    log: { type: 'string', short: 'l', value: 'FILE', help: 'An access log; "-" reads it from stdin.' },
    config: { ...configOption, help: 'The configuration to try. Default: the first velum.config.* in this folder.' },
    only: onlyOption,
    old: {
      type: 'string',
      value: 'FILE',
      help: 'Compare with what this configuration decides, instead of with what the log says: both begin with whole budgets then.',
    },
    clients: {
      type: 'string',
      value: 'N',
      help: `How many clients are listed, those with the most changes first. Default: ${defaultShown}.`,
    },
    'exit-code': { type: 'boolean', help: 'End with 1 when somebody is treated differently.' },
    json: jsonOption,
  },
  maxPositionals: 0,
  async run(args, io) {
    const log = textOption(args, 'log')
    if (log === undefined) throw new UsageError('name an access log: velum replay --log access.log --config velum.config.ts')
    const shown = shownOf(args)
    const only = textOption(args, 'only')
    const now = await load(textOption(args, 'config'), only, io)
    const old = textOption(args, 'old')
    const before = old === undefined ? undefined : await load(old, only, io)
    if (now === undefined || (old !== undefined && before === undefined)) return exitCode.input
    const report = await replayLog(linesOf(log, io), now, before)
    if (report.requests === 0 && report.terse > 0)
      throw new Error(
        `${log} is written in a format of Apache, which does not tell what a replay needs: write it with log.format: json`,
      )
    if (args.options['json'] === true) {
      io.out(`${JSON.stringify({ ...report, clients: report.clients.slice(0, shown) }, undefined, 2)}\n`)
    } else io.out(reportText(report, shown))
    return args.options['exit-code'] === true && report.changed > 0 ? exitCode.input : exitCode.done
  },
}

async function load(file: string | undefined, only: string | undefined, io: Io): Promise<GatewayModel | undefined> {
  const loaded = await loadGateway(file, { only, folder: io.folder, env: io.env, print: io.err })
  const errors = loaded.findings.filter(({ severity }) => severity === 'error')
  io.err(formatFindings(errors, io.folder))
  return loaded.model
}

function shownOf(args: Arguments): number {
  const text = textOption(args, 'clients') ?? String(defaultShown)
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`--clients takes a number, not ${JSON.stringify(text)}`)
  return Number(text)
}

function linesOf(log: string, io: Io): AsyncIterable<string> {
  if (log === '-') return createInterface({ input: io.stdin ?? process.stdin, crlfDelay: Infinity })
  const file = resolve(io.folder, log)
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) throw new Error(`${log} is no file`)
  return createInterface({ input: createReadStream(file), crlfDelay: Infinity })
}

function reportText(report: ReplayReport, shown: number): string {
  const { requests, broken, others, terse, unknown, changed, from, until, clients, generations } = report
  const span = durationText(Math.round((until - from) / 1000) * 1000)
  const lines = [
    `${requests} requests${requests === 0 ? '' : ` over ${span}, from ${new Date(from).toISOString()}`}; ${changed} come out differently.`,
  ]
  if (unknown > 0) lines.push(`${unknown} cannot be judged by what the log tells.`)
  if (broken > 0) lines.push(`${broken} lines are no lines of an access log and were passed over.`)
  if (others > 0) lines.push(`${others} lines are of other things, such as messages that never became requests.`)
  if (terse > 0)
    lines.push(`${terse} lines are in a format of Apache, which does not tell what a replay needs (log.format: json does).`)
  if (generations.length > 1) lines.push(`The log was written under ${generations.length} configurations.`)
  for (const { client, requests: all, changed: some, changes } of clients.slice(0, shown)) {
    lines.push('', oneLine(`${client}: ${some} of ${all} requests`))
    for (const { before, after, count, words, source, example } of changes) {
      lines.push(
        oneLine(`  ${count} × ${before} → ${after}`),
        oneLine(`      ${words}${source === undefined ? '' : ` (${source})`}`),
        oneLine(`      such as ${example.method} ${example.path} at ${new Date(example.at).toISOString()}, ${example.id}`),
      )
    }
  }
  if (clients.length > shown) lines.push('', `and ${clients.length - shown} more clients (--clients ${clients.length} lists them)`)
  return `${lines.join('\n')}\n`
}
