import type { ParseArgsOptionDescriptor } from 'node:util'

/** Exit codes of the command line (CONTRACT §2). */
export const exitCode = { done: 0, input: 1, usage: 2, environment: 3 } as const

/** What a command may do to the outside. */
export interface Io {
  /** What was asked for. */
  readonly out: (text: string) => void
  /** Errors, and what is not part of the result. */
  readonly err: (text: string) => void
  readonly env: NodeJS.ProcessEnv
  readonly folder: string
  /** Where secrets are read from. Default: the process's own. */
  readonly stdin?: NodeJS.ReadableStream | undefined
}

export interface OptionSpec extends ParseArgsOptionDescriptor {
  /** For the help: what the value is called; absent for flags. */
  readonly value?: string
  readonly help: string
}

/** Parsed arguments: options by name, and what is not an option. */
export interface Arguments {
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
  readonly positionals: readonly string[]
}

/** One command of `velum`. */
export interface Command {
  /** What follows its name, as help shows it: `[--config FILE]`. */
  readonly usage: string
  readonly options: Readonly<Record<string, OptionSpec>>
  /** How many positional arguments it takes at most. */
  readonly maxPositionals: number
  /** Resolves with the exit code. Rejects with `UsageError`, `EnvironmentFault`, or what else is wrong. */
  run(args: Arguments, io: Io): Promise<number>
}

/** A command as the list knows it; what it needs is loaded when it is asked for. */
export interface CommandEntry {
  readonly name: string
  readonly summary: string
  /** Whether it can run here; help lists only those that can. */
  isAvailable?(): boolean
  load(): Promise<Command>
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

export const configOption: OptionSpec = {
  type: 'string',
  short: 'c',
  value: 'FILE',
  help: 'The configuration. Default: the first velum.config.* in this folder.',
}
export const onlyOption: OptionSpec = {
  type: 'string',
  value: 'NAME',
  help: 'The gateway that is meant, where the configuration holds several.',
}
export const jsonOption: OptionSpec = { type: 'boolean', help: 'Print JSON instead of a table.' }

/** The values of an option that may be repeated. */
export function textsOption(args: Arguments, name: string): readonly string[] {
  const values = args.options[name]
  return Array.isArray(values) ? (values as readonly string[]) : []
}

/** The value of an option that takes one. */
export function textOption(args: Arguments, name: string): string | undefined {
  const value = args.options[name]
  return typeof value === 'string' ? value : undefined
}
