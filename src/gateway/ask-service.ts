import { derivedExchange } from '../core/derived-exchange.ts'
import type { AskService } from '../policies/service-ask.ts'
import type { ActionEnv, CompiledService } from './compile-action.ts'
import { attaching } from './compile-action.ts'
import { hopLines } from './forward.ts'

/**
 * How policies ask a service about an exchange: like any call to it, with forwarding fields and who is calling as its
 * `identity` says, and without a trace in the exchange. Throws for a name that there is not.
 */
export function askingService(
  name: string,
  services: ReadonlyMap<string, CompiledService>,
  tokenEdit: ActionEnv['tokenEdit'],
): AskService {
  const compiled = services.get(name)
  if (compiled === undefined) throw new Error(`there is no service ${JSON.stringify(name)}`)
  const attach = attaching(compiled.spec, { tokenEdit })
  return ({ method, target, headers, body, headBy }, x) => {
    headers.putLines(hopLines(x))
    attach?.(headers, x)
    const call = { method, target, authority: undefined, headers, body, upgrade: undefined, headBy }
    return compiled.service(call, derivedExchange(x, { method, body }))
  }
}
