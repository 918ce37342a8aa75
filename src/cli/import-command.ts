import { existsSync, writeFileSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { formatFindings } from '../config/format-findings.ts'
import { importOpenapi } from '../config/import-openapi.ts'
import type { Command } from './command.ts'
import { exitCode, textOption, UsageError } from './command.ts'

export const importCommand: Command = {
  usage: 'openapi FILE [--out FILE] [--service URL]',
  options: {
    out: { type: 'string', short: 'o', value: 'FILE', help: 'Where the configuration is written, in YAML. Default: printed.' },
    service: { type: 'string', value: 'URL', help: 'What stands behind. Default: the first server of the description.' },
  },
  maxPositionals: 2,
  run: async (args, io) => {
    const [kind, given] = args.positionals
    if (kind !== 'openapi') throw new UsageError('only "velum import openapi FILE" exists')
    if (given === undefined) throw new UsageError('name the OpenAPI description (velum import openapi FILE)')
    const service = textOption(args, 'service')
    if (service !== undefined && !/^https?:\/\/[^/?#]+\/?$/.test(service)) {
      throw new UsageError(`--service ${JSON.stringify(service)} is not scheme, host and port, such as http://127.0.0.1:8000`)
    }
    const file = resolve(io.folder, given)
    const written = textOption(args, 'out')
    const out = written === undefined ? undefined : resolve(io.folder, written)
    if (out !== undefined && existsSync(out)) {
      io.err(`velum: ${written} is there already; name another file, or remove it\n`)
      return exitCode.input
    }
    const path = relative(out === undefined ? io.folder : dirname(out), file)
      .split(sep)
      .join('/')
    const { text, findings, notes } = importOpenapi(file, { writtenAs: path, service: service?.replace(/\/$/, '') })
    const told = findings.map(({ severity, file: at = file, message, remedy, line, column }) => {
      return { severity, file: at, path: '', message, remedy, line, column }
    })
    io.err(formatFindings(told, io.folder))
    if (text === undefined) return exitCode.input
    for (const note of notes) io.err(`note: ${note}\n`)
    if (out === undefined) io.out(text)
    else {
      writeFileSync(out, text, { flag: 'wx' })
      io.out(`wrote ${written}; check it with: velum check --config ${written}\n`)
    }
    return exitCode.done
  },
}
