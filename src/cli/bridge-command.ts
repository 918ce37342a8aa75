import type { GatewayModel } from '../config/model.ts'
import type { BridgedMethod, BridgedService } from '../gateway/bridged-methods.ts'
import { bridgedServices, openapiOf, sdlOf, writtenDescriptors } from '../gateway/bridged-methods.ts'
import type { AdminCall } from './admin-call.ts'
import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, UsageError } from './command.ts'
import { loadModel } from './load-model.ts'
import { findRunning } from './running-gateway.ts'
import { table } from './table.ts'

const verbs = ['list', 'openapi', 'sdl']

export const bridgeCommand: Command = {
  usage: 'list | openapi [SERVICE] | sdl [SERVICE]',
  options: { config: configOption, only: onlyOption, json: jsonOption },
  maxPositionals: 2,
  async run(args, io) {
    const [verb = '', name] = args.positionals
    if (!verbs.includes(verb)) throw new UsageError(`say what to do: ${verbs.join(', ')} (see "velum help bridge")`)
    if (verb === 'list' && name !== undefined) throw new UsageError('"velum bridge list" takes no name')
    const loaded = await loadModel(args, io)
    if (loaded === undefined) return exitCode.input
    const { model } = loaded
    const source = sourceOf(model, await callWhereNeeded(model, io))
    const services = await source.list()
    if (verb === 'list') return print(services, args, io)
    const service = chosen(services, name, io)
    if (service === undefined) return exitCode.input
    const told = verb === 'openapi' ? await source.openapi(service) : await source.sdl(service)
    if (told === undefined) {
      io.err(`velum: what ${service} offers is not known: it is asked while a gateway runs, and has not answered\n`)
      return exitCode.input
    }
    io.out(typeof told === 'string' ? told : `${JSON.stringify(told, undefined, 2)}\n`)
    return exitCode.done
  },
}

/** Where the answers come from: the files, or the gateway that has asked the services. */
interface Source {
  list(): Promise<readonly BridgedService[]>
  openapi(service: string): Promise<unknown>
  sdl(service: string): Promise<string | undefined>
}

/** Only what services say of themselves has to be asked of a running gateway. */
async function callWhereNeeded(model: GatewayModel, io: Io): Promise<AdminCall | undefined> {
  return model.services.some(({ grpc }) => grpc?.reflection !== undefined) ? findRunning(model, io) : undefined
}

function sourceOf(model: GatewayModel, call: AdminCall | undefined): Source {
  if (call === undefined)
    return {
      list: () => Promise.resolve(bridgedServices(model, writtenDescriptors)),
      openapi: (service) => Promise.resolve(openapiOf(model, service, writtenDescriptors)),
      sdl: (service) => Promise.resolve(sdlOf(model, service, writtenDescriptors)),
    }
  return {
    list: async () => (await call<{ services: readonly BridgedService[] }>('GET', '/api/bridges')).services,
    openapi: (service) => call('GET', addressOf(service, 'openapi')),
    sdl: async (service) => (await call<{ sdl: string }>('GET', addressOf(service, 'sdl'))).sdl,
  }
}

function addressOf(service: string, what: string): string {
  return `/api/bridges/${encodeURIComponent(service)}/${what}`
}

function chosen(services: readonly BridgedService[], name: string | undefined, io: Io): string | undefined {
  const names = services.map(({ service }) => service)
  if (name === undefined && names.length === 1) return names[0]
  if (name !== undefined && names.includes(name)) return name
  const all = names.length === 0 ? 'no route has a bridge' : `those with a bridge are ${names.join(', ')}`
  io.err(`velum: ${name === undefined ? 'say which service' : `there is no service "${name}" behind a bridge`}: ${all}\n`)
  return undefined
}

function print(services: readonly BridgedService[], args: Arguments, io: Io): number {
  if (args.options['json'] === true) io.out(`${JSON.stringify(services, undefined, 2)}\n`)
  else {
    io.out(table(['SERVICE', 'METHOD', 'KIND', 'REST', 'BRIDGES'], services.flatMap(rowsOf)))
    for (const { service, methods } of services)
      if (methods === undefined) io.err(`velum: what ${service} offers is known only while a gateway runs\n`)
  }
  return exitCode.done
}

const kinds: Readonly<Record<BridgedMethod['kind'], string>> = {
  unary: 'unary',
  'server-stream': 'server stream',
  'client-stream': 'client stream',
  'both-stream': 'both stream',
}

function rowsOf({ service, routes, methods }: BridgedService): string[][] {
  const bridges = [...new Set(routes.flatMap((route) => route.bridges))].join(' ')
  if (methods === undefined) return [[service, '?', '', '', bridges]]
  return methods.map(({ method, kind, rest }) => [service, method, kinds[kind], rest.join(', ') || '-', bridges])
}
