import type { Descriptors, GrpcMethod } from '../descriptors/descriptors.ts'
import { planned } from '../descriptors/live-descriptors.ts'
import type { JsonOptions } from './message-codec.ts'
import { MessageCodec } from './message-codec.ts'

/** The messages of a method between JSON and their bytes. */
export interface MethodCodecs {
  readonly input: MessageCodec
  readonly output: MessageCodec
}

/** Finds the codecs of a method; each is made when the method is first called by JSON, once for a set of descriptors. */
export function methodCodecs(options: JsonOptions): (method: GrpcMethod, descriptors: Descriptors) => MethodCodecs {
  const made = planned(() => new Map<GrpcMethod, MethodCodecs>())
  return (method, descriptors) => {
    const known = made(descriptors)
    let codecs = known.get(method)
    if (codecs === undefined) {
      const { registry } = descriptors
      codecs = {
        input: new MessageCodec(method.input, registry, options),
        output: new MessageCodec(method.output, registry, options),
      }
      known.set(method, codecs)
    }
    return codecs
  }
}
