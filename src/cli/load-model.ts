import { formatFindings } from '../config/format-findings.ts'
import { loadGateway } from '../config/load.ts'
import type { LoadResult } from '../config/load.ts'
import type { GatewayModel } from '../config/model.ts'
import type { Arguments, Io } from './command.ts'
import { textOption } from './command.ts'

/** Loads what `--config` names and prints what there is to say about it; undefined when it cannot be used. */
export async function loadModel(args: Arguments, io: Io): Promise<(LoadResult & { readonly model: GatewayModel }) | undefined> {
  const loaded = await loadGateway(textOption(args, 'config'), { folder: io.folder, env: io.env, print: io.err })
  io.err(formatFindings(loaded.findings, io.folder))
  const { model } = loaded
  return model === undefined ? undefined : { ...loaded, model }
}
