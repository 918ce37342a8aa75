import { dirname } from 'node:path'
import type { ConfigDiff, PartChange, RouteChange, ValueChange } from '../config/diff.ts'
import { diffModels, relativeTo } from '../config/diff.ts'
import { formatFindings } from '../config/format-findings.ts'
import { loadGateway } from '../config/load.ts'
import type { GatewayModel } from '../config/model.ts'
import { durationText } from '../lib/duration.ts'
import { sizeText } from '../lib/size.ts'
import type { Command, Io } from './command.ts'
import { exitCode, jsonOption, onlyOption, textOption, UsageError } from './command.ts'

export const diffCommand: Command = {
  usage: 'OLD NEW [--only NAME] [--exit-code] [--json]',
  options: {
    only: onlyOption,
    'exit-code': { type: 'boolean', help: 'End with 1 when the two differ; without it that is no fault.' },
    json: jsonOption,
  },
  maxPositionals: 2,
  async run(args, io) {
    const [old, now] = args.positionals
    if (old === undefined || now === undefined) throw new UsageError('name two configurations: velum diff OLD NEW')
    const only = textOption(args, 'only')
    const before = await load(old, only, io)
    const after = await load(now, only, io)
    if (before === undefined || after === undefined) return exitCode.input
    const diff = diffModels(before, after)
    io.out(args.options['json'] === true ? `${JSON.stringify(diff, undefined, 2)}\n` : diffText(diff))
    return args.options['exit-code'] === true && !diff.isEmpty ? exitCode.input : exitCode.done
  },
}

async function load(file: string, only: string | undefined, io: Io): Promise<GatewayModel | undefined> {
  const loaded = await loadGateway(file, { only, folder: io.folder, env: io.env, print: io.err })
  // What only deserves a warning is for "velum check".
  io.err(
    formatFindings(
      loaded.findings.filter(({ severity }) => severity === 'error'),
      io.folder,
    ),
  )
  return loaded.model === undefined ? undefined : relativeTo(loaded.model, dirname(loaded.file))
}

/** A difference for people: what comes with +, what goes with -, what is another with ~. */
function diffText({ isEmpty, routes, parts }: ConfigDiff): string {
  if (isEmpty) return 'The two come to the same.\n'
  const lines: string[] = []
  for (const { name, source, other } of routes.added) {
    lines.push(`+ route ${name} (${source}): ${other === undefined ? 'nothing answered there' : `takes requests from ${other}`}`)
  }
  for (const { name, source, other } of routes.removed) {
    lines.push(
      `- route ${name} (${source}): ${other === undefined ? 'its requests get 404 or 405' : `its requests go to ${other}`}`,
    )
  }
  for (const route of routes.altered) lines.push(...routeLines(route))
  for (const { first, second, path } of routes.order) {
    lines.push(`~ order: ${first} comes before ${second} now, so that it takes what matches both (${path})`)
  }
  for (const part of parts) lines.push(...partLines(part))
  return `${lines.join('\n')}\n`
}

function routeLines({ name, source, changes, through, takesFrom }: RouteChange): string[] {
  const lines = [`~ route ${name} (${source})`, ...changes.map(changeLine)]
  if (through.length > 0) lines.push(`    uses ${through.join(', ')}, which changed`)
  if (takesFrom !== undefined) lines.push(`    takes requests from ${takesFrom}`)
  return lines
}

function partLines({ part, kind, changes }: PartChange): string[] {
  if (kind === 'added') return [`+ ${part}`]
  if (kind === 'removed') return [`- ${part}`]
  return [`~ ${part}`, ...changes.map(changeLine)]
}

function changeLine({ path, before, after }: ValueChange): string {
  const what = path === '' ? '' : `${path}: `
  if (before === '(secret)' && after === '(secret)') return `    ${what}another secret`
  return `    ${what}${valueText(path, before)} → ${valueText(path, after)}`
}

function valueText(path: string, value: unknown): string {
  if (value === undefined) return '(none)'
  const last = path.slice(path.lastIndexOf('.') + 1)
  if (typeof value === 'number' && last.endsWith('Ms')) return durationText(value)
  if (typeof value === 'number' && last.endsWith('Bytes')) return sizeText(value)
  return JSON.stringify(value)
}
