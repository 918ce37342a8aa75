import { EnvironmentFault } from '../core/environment-fault.ts'
import type { Arguments, Command } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, textOption, UsageError } from './command.ts'
import { loadModel } from './load-model.ts'
import { findRunning } from './running-gateway.ts'
import { table } from './table.ts'

interface ShadowDocument {
  readonly id: string
  readonly limit?: string
  readonly penalty?: string
  readonly route?: string
  readonly shadow: boolean
  readonly until: string
}

export const shadowCommand: Command = {
  usage: 'list | on NAME | off NAME [--route R] [--for DURATION] | end ID   (such as on perTenant --for 30m)',
  options: {
    config: configOption,
    only: onlyOption,
    penalty: { type: 'boolean', help: 'NAME is a penalty, not a limit.' },
    route: { type: 'string', value: 'NAME', help: 'Only where this route names the limit. Default: wherever it is named.' },
    for: { type: 'string', value: 'DURATION', help: 'How long, 24h at most. Default: 1h. A reload ends it too.' },
    json: jsonOption,
  },
  maxPositionals: 2,
  async run(args, io) {
    const [verb = '', name] = args.positionals
    const ask = askOf(verb, name, args)
    const loaded = await loadModel(args, io)
    if (loaded === undefined) return exitCode.input
    const call = await findRunning(loaded.model, io)
    if (call === undefined) throw new EnvironmentFault('no gateway runs with this configuration, or it has no admin API')
    const told = await call<ShadowDocument | { shadows: readonly ShadowDocument[] }>(...ask)
    if (args.options['json'] === true) io.out(`${JSON.stringify(told, undefined, 2)}\n`)
    else if ('shadows' in told) io.out(table(['ID', 'WHAT', 'ROUTE', 'IS', 'UNTIL'], told.shadows.map(cells)))
    else if (verb === 'end') io.out(`${nameOf(told)} is again what the configuration says\n`)
    else io.out(`${nameOf(told)} ${told.shadow ? 'refuses nobody' : 'counts in earnest'} until ${told.until} (${told.id})\n`)
    return exitCode.done
  },
}

function askOf(verb: string, name: string | undefined, args: Arguments): ['GET' | 'POST' | 'DELETE', string, unknown?] {
  if (verb === 'list' && name === undefined) return ['GET', '/api/shadows']
  if (verb === 'end' && name !== undefined) return ['DELETE', `/api/shadows/${encodeURIComponent(name)}`]
  if ((verb === 'on' || verb === 'off') && name !== undefined) {
    const route = textOption(args, 'route')
    const lasting = textOption(args, 'for')
    const order = {
      [args.options['penalty'] === true ? 'penalty' : 'limit']: name,
      shadow: verb === 'on',
      ...(route === undefined ? {} : { route }),
      ...(lasting === undefined ? {} : { for: lasting }),
    }
    return ['POST', '/api/shadows', order]
  }
  throw new UsageError('say what to do: list, on NAME, off NAME, end ID (see "velum help shadow")')
}

function nameOf({ limit, penalty, route }: ShadowDocument): string {
  return `${limit === undefined ? 'penalty' : 'limit'} ${limit ?? penalty}${route === undefined ? '' : ` on route ${route}`}`
}

function cells({ id, limit, penalty, route, shadow, until }: ShadowDocument): string[] {
  return [
    id,
    limit === undefined ? `penalty ${penalty}` : `limit ${limit}`,
    route ?? 'all',
    shadow ? 'shadow' : 'in earnest',
    until,
  ]
}
