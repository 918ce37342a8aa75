import type { Finding } from '../config/finding.ts'
import { countText, formatFindings } from '../config/format-findings.ts'
import { loadGateway, loadGateways } from '../config/load.ts'
import type { LoadedFile, LoadedGateway } from '../config/load.ts'
import { compileOnly } from '../gateway/compile-only.ts'
import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, onlyOption, textOption } from './command.ts'
import { loadOptions } from './load-model.ts'

export const checkCommand: Command = {
  usage: '[--config FILE] [--only NAME] [--strict] [--json]',
  options: {
    config: configOption,
    only: { ...onlyOption, help: 'The only gateway that is checked, where the configuration holds several. Default: all.' },
    strict: { type: 'boolean', help: 'Warnings count as errors.' },
    json: { type: 'boolean', help: 'Print the findings as JSON.' },
  },
  maxPositionals: 0,
  async run(args, io) {
    const { file, findings: common, isList, gateways } = await load(args, io)
    const judged = gateways.map((gateway) => ({
      name: gateway.name,
      findings: [...gateway.findings, ...compileFindings(file, gateway)],
    }))
    const findings = [...common, ...judged.flatMap((gateway) => gateway.findings)]
    const isClean = (some: readonly Finding[]): boolean =>
      !some.some(({ severity }) => severity === 'error' || args.options['strict'] === true)
    const clean = isClean(findings)
    if (args.options['json'] === true) {
      const each = judged.map((gateway) => ({ name: gateway.name, clean: isClean(gateway.findings) }))
      io.out(`${JSON.stringify({ file, clean, findings, ...(isList ? { gateways: each } : {}) }, undefined, 2)}\n`)
    } else {
      io.err(formatFindings(findings, io.folder))
      const print = clean ? io.out : io.err
      if (isList) for (const gateway of judged) print(`${file}: gateway ${gateway.name}: ${countText(gateway.findings)}\n`)
      else if (findings.length === 0) io.out(`${file}: ${countText(findings)}\n`)
    }
    return clean ? exitCode.done : exitCode.input
  },
}

/** All gateways of the file, or the one that is meant. */
async function load(args: Arguments, io: Io): Promise<LoadedFile> {
  const { only, ...options } = { ...loadOptions(args, io), tryPolicies: true }
  const config = textOption(args, 'config')
  if (only === undefined) return loadGateways(config, options)
  const loaded = await loadGateway(config, { ...options, only })
  return { ...loaded, findings: [], isList: false, gateways: [{ ...loaded, name: only }] }
}

/** What passed the check and could still not be compiled. */
function compileFindings(file: string, { model, name }: LoadedGateway): Finding[] {
  if (model === undefined) return []
  try {
    compileOnly(model)
    return []
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return [{ severity: 'error', file, path: '', gateway: name, message, remedy: 'correct what the message names' }]
  }
}
