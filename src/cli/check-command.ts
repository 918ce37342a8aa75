import type { Finding } from '../config/finding.ts'
import { countText, formatFindings } from '../config/format-findings.ts'
import { loadGateway } from '../config/load.ts'
import { compileOnly } from '../gateway/compile-only.ts'
import type { Command } from './command.ts'
import { configOption, exitCode, textOption } from './command.ts'

export const checkCommand: Command = {
  usage: '[--config FILE] [--strict] [--json]',
  options: {
    config: configOption,
    strict: { type: 'boolean', help: 'Warnings count as errors.' },
    json: { type: 'boolean', help: 'Print the findings as JSON.' },
  },
  maxPositionals: 0,
  async run(args, io) {
    const loaded = await loadGateway(textOption(args, 'config'), { folder: io.folder, env: io.env, print: io.err })
    const findings = [...loaded.findings]
    if (loaded.model !== undefined) {
      try {
        compileOnly(loaded.model)
      } catch (thrown) {
        findings.push(compileFinding(loaded.file, thrown))
      }
    }
    const isClean = !findings.some(({ severity }) => severity === 'error' || args.options['strict'] === true)
    if (args.options['json'] === true) io.out(`${JSON.stringify({ file: loaded.file, clean: isClean, findings }, undefined, 2)}\n`)
    else if (findings.length === 0) io.out(`${loaded.file}: ${countText(findings)}\n`)
    else io.err(formatFindings(findings, io.folder))
    return isClean ? exitCode.done : exitCode.input
  },
}

/** What passed the check and could still not be compiled. */
function compileFinding(file: string, thrown: unknown): Finding {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return { severity: 'error', file, path: '', message, remedy: 'correct what the message names' }
}
