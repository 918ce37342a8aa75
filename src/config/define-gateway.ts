import type { GatewayInput } from './input.ts'

/**
 * Declares a gateway. Gives its argument back as it is: the compiler checks the names of services and limits and the
 * spelling of options here, and `velum check` checks everything again when the file is loaded.
 */
export function defineGateway<S extends string = never, L extends string = never>(config: GatewayInput<S, L>): GatewayInput<S, L> {
  return config
}
