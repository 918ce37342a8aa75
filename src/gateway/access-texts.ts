import type { GatewayModel } from '../config/model.ts'
import { defaultName } from '../config/model.ts'
import { AccessLines } from './access-line.ts'
import type { AccessTexts } from './access-log.ts'
import { ReplayFields } from './access-replay.ts'
import { ApacheLines } from './apache-line.ts'

/** Lines of the access log as the configuration wants them. Lines of JSON name the gateway where it has a name of its own. */
export function accessTexts(model: GatewayModel, worker: number): AccessTexts {
  const { format } = model.log
  if (format === 'common' || format === 'combined') return new ApacheLines(format === 'combined')
  return new AccessLines(model.hash, worker, ReplayFields.of(model), model.name === defaultName ? undefined : model.name)
}
