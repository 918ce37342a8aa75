import type { Command, CommandEntry, OptionSpec } from './command.ts'

/** The list of commands. */
export function overview(commands: readonly CommandEntry[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length), 'help'.length)
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  lines.push(`  ${'help'.padEnd(width)}  Says more about a command: velum help COMMAND.`)
  return `velum: an API gateway.\n\nUsage: velum COMMAND [OPTIONS]\n\n${lines.join('\n')}\n`
}

/** Everything about one command. */
export function commandHelp({ name, summary }: CommandEntry, { usage, options }: Command): string {
  const all: Readonly<Record<string, OptionSpec>> = {
    ...options,
    debug: { type: 'boolean', help: 'Print stack traces of errors.' },
  }
  const rows = Object.entries(all).map(([option, { short, value, help }]): [string, string] => {
    return [`${short === undefined ? '' : `-${short}, `}--${option}${value === undefined ? '' : ` ${value}`}`, help]
  })
  const width = Math.max(...rows.map(([flag]) => flag.length))
  const lines = rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`)
  return `${summary}\n\nUsage: velum ${name}${usage === '' ? '' : ` ${usage}`}\n\n${lines.join('\n')}\n`
}
