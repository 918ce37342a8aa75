import { parseArgs } from 'node:util'
import type { ParseArgsOptionsConfig } from 'node:util'
import { EnvironmentFault } from '../gateway/environment-fault.ts'
import { nearest } from '../lib/suggest.ts'
import type { Arguments, Command, CommandEntry, Io } from './command.ts'
import { exitCode, UsageError } from './command.ts'
import { commands } from './commands.ts'
import { commandHelp, overview } from './help.ts'

/** Runs one command line; resolves with its exit code, having printed what is to be said. Never rejects. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const isDebug = argv.includes('--debug')
  try {
    return await dispatch(
      argv.filter((arg) => arg !== '--debug'),
      io,
    )
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    io.err(`velum: ${error.message}\n`)
    if (isDebug) io.err(`${error.stack ?? ''}\n`)
    if (error instanceof UsageError) return exitCode.usage
    return error instanceof EnvironmentFault ? exitCode.environment : exitCode.input
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = argv
  if (first === undefined) {
    io.err(overview(available()))
    return exitCode.usage
  }
  if (first === 'help' || first === '--help' || first === '-h') return help(rest, io)
  const entry = find(first === '--version' || first === '-v' ? 'version' : first)
  if (rest.includes('--help') || rest.includes('-h')) return help([entry.name], io)
  const command = await entry.load()
  return command.run(argumentsOf(entry.name, command, rest), io)
}

async function help(rest: readonly string[], io: Io): Promise<number> {
  const name = rest.find((arg) => !arg.startsWith('-'))
  if (name === undefined || name === 'help') io.out(overview(available()))
  else {
    const entry = find(name)
    io.out(commandHelp(entry, await entry.load()))
  }
  return exitCode.done
}

function available(): readonly CommandEntry[] {
  return commands.filter((command) => command.isAvailable?.() ?? true)
}

function find(name: string): CommandEntry {
  const command = available().find((c) => c.name === name)
  if (command !== undefined) return command
  const near = nearest(name, [...available().map((c) => c.name), 'help'])
  throw new UsageError(
    `there is no command ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean "${near}"?`} (see "velum help")`,
  )
}

function argumentsOf(name: string, command: Command, args: readonly string[]): Arguments {
  const options: ParseArgsOptionsConfig = {}
  for (const [option, { type, short, multiple }] of Object.entries(command.options)) {
    options[option] = { type, ...(short === undefined ? {} : { short }), ...(multiple === undefined ? {} : { multiple }) }
  }
  let parsed
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (thrown) {
    throw new UsageError(`${firstSentence((thrown as Error).message)} (see "velum help ${name}")`)
  }
  const { positionals } = parsed
  if (positionals.length > command.maxPositionals) {
    throw new UsageError(
      `"velum ${name}" does not take ${JSON.stringify(positionals[command.maxPositionals])} (see "velum help ${name}")`,
    )
  }
  return { options: parsed.values as Arguments['options'], positionals }
}

/** Node explains at length how else the argument could have been meant. */
function firstSentence(message: string): string {
  const end = message.indexOf('. ')
  return end === -1 ? message : message.slice(0, end)
}
