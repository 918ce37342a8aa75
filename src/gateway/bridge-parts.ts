import { createHash } from 'node:crypto'
import type { Bridge } from '../bridges/bridge.ts'
import { createBridge } from '../bridges/create-bridge.ts'
import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import { readDescriptors } from '../bridges/descriptors/descriptors.ts'
import type { GrpcModel, ServiceModel, ToAction } from '../config/model.ts'
import type { BuildEnv } from '../core/build-env.ts'

/** The bridges of a route to one of its services. Descriptors are read once and outlive the Generation while they stay. */
export function bridgesTo({ bridges = [] }: ToAction, { name, grpc }: ServiceModel, env: BuildEnv): readonly Bridge[] {
  if (bridges.length === 0) return []
  // A route that is silently not translated would send a service what it cannot read.
  if (grpc === undefined) throw new Error(`services.${name}: a bridge needs protos or descriptors`)
  const { clock, sweeper, log, meter } = env
  const descriptors = { current: heldDescriptors(grpc, env) }
  return bridges.map((spec) =>
    createBridge(spec, { service: name, descriptors, maxMessageBytes: grpc.maxMessageBytes, clock, sweeper, log, meter }),
  )
}

function heldDescriptors({ set, rules }: GrpcModel, { hold }: BuildEnv): Descriptors {
  const hash = createHash('sha256').update(set).update(JSON.stringify(rules)).digest('hex')
  return hold.take(`bridges/descriptors ${hash}`, () => {
    const descriptors = readDescriptors(Buffer.from(set, 'base64'), rules)
    return { descriptors, close() {} }
  }).descriptors
}
