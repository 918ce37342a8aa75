import { formatFindings } from '../config/format-findings.ts'
import { loadGateway, loadGateways } from '../config/load.ts'
import type { LoadedFile, LoadOptions, LoadResult } from '../config/load.ts'
import type { GatewayModel } from '../config/model.ts'
import type { Arguments, Io } from './command.ts'
import { textOption } from './command.ts'

/** What the arguments say of how the configuration is loaded. */
export function loadOptions(args: Arguments, io: Io): LoadOptions {
  return { only: textOption(args, 'only'), folder: io.folder, env: io.env, print: io.err }
}

/** Loads the gateway that `--config` and `--only` name and prints what there is to say about it; undefined when it cannot be used. */
export async function loadModel(args: Arguments, io: Io): Promise<UsableResult | undefined> {
  return usable(await loadGateway(textOption(args, 'config'), loadOptions(args, io)), io)
}

/** Loads all that `--config` names: the several gateways of a file, or what `loadModel` gives for its only one. */
export async function loadModels(args: Arguments, io: Io): Promise<LoadedFile | UsableResult | undefined> {
  const { only, ...options } = loadOptions(args, io)
  if (only !== undefined) return loadModel(args, io)
  const loaded = await loadGateways(textOption(args, 'config'), options)
  const { file, files, gateways } = loaded
  if (gateways.length > 1) return loaded
  const findings = [...loaded.findings, ...gateways.flatMap((gateway) => gateway.findings)]
  return usable({ file, files, findings, model: gateways.at(0)?.model }, io)
}

/** A loaded gateway that can be used. */
type UsableResult = LoadResult & { readonly model: GatewayModel }

function usable(loaded: LoadResult, io: Io): UsableResult | undefined {
  io.err(formatFindings(loaded.findings, io.folder))
  const { model } = loaded
  return model === undefined ? undefined : { ...loaded, model }
}
