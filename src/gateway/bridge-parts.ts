import { createHash } from 'node:crypto'
import type { Bridge } from '../bridges/bridge.ts'
import { createBridge, inClaimOrder } from '../bridges/create-bridge.ts'
import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import { readDescriptors } from '../bridges/descriptors/descriptors.ts'
import type { LiveDescriptors } from '../bridges/descriptors/live-descriptors.ts'
import type { GrpcModel, ServiceModel, ToAction } from '../config/model.ts'
import type { BuildEnv } from '../core/build-env.ts'
import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import { reflectionKey, reflectionTopic } from './reflection-key.ts'

/** The bridges of a route to one of its services. Descriptors are read once and outlive the Generation while they stay. */
export function bridgesTo({ bridges = [] }: ToAction, service: ServiceModel, env: BuildEnv): readonly Bridge[] {
  if (bridges.length === 0) return []
  const { name, grpc } = service
  // A route that is silently not translated would send a service what it cannot read.
  if (grpc === undefined) throw new Error(`services.${name}: a bridge needs protos, descriptors or reflection`)
  const { clock, sweeper, log, meter } = env
  const descriptors = grpc.set === undefined ? reflected(service, grpc, env) : heldDescriptors(grpc.set, grpc, env)
  return inClaimOrder(bridges).map((spec) =>
    createBridge(spec, { service: name, descriptors, maxMessageBytes: grpc.maxMessageBytes, clock, sweeper, log, meter }),
  )
}

/** Resolves when what main has learnt of the services that are asked is known here, or that there is nothing yet. */
export async function descriptorsReady(services: readonly ServiceModel[], env: BuildEnv): Promise<void> {
  const waiting = services.flatMap((service) =>
    service.grpc?.reflection === undefined ? [] : [reflected(service, service.grpc, env).ready],
  )
  await Promise.all(waiting)
}

function heldDescriptors(set: string, { rules }: GrpcModel, { hold }: BuildEnv): LiveDescriptors {
  const hash = createHash('sha256').update(set).update(JSON.stringify(rules)).digest('hex')
  return hold.take(`bridges/descriptors ${hash}`, () => {
    return { current: readDescriptors(Buffer.from(set, 'base64'), rules), close() {} }
  })
}

function reflected(service: ServiceModel, { rules }: GrpcModel, { hold, link, log }: BuildEnv): ReflectedDescriptors {
  const key = reflectionKey(service)
  return hold.take(
    `bridges/reflected ${key} ${JSON.stringify(rules)}`,
    () => new ReflectedDescriptors(service.name, key, rules, link, log),
  )
}

/** What main learns of a service by asking it; the last that could be read stands. */
class ReflectedDescriptors implements LiveDescriptors, Closable {
  current: Descriptors | undefined = undefined
  readonly ready: Promise<void>
  readonly #service: string
  readonly #rules: GrpcModel['rules']
  readonly #log: Log
  readonly #unhear: () => void

  constructor(service: string, key: string, rules: GrpcModel['rules'], link: Link, log: Log) {
    this.#service = service
    this.#rules = rules
    this.#log = log
    this.#unhear = link.hear(reflectionTopic, (message) => {
      const told = message as { readonly key: string; readonly set: string }
      if (told.key === key) this.#take(told.set)
    })
    this.ready = this.#ask(link, key)
  }

  close(): void {
    this.#unhear()
  }

  async #ask(link: Link, key: string): Promise<void> {
    const set = await link.ask(reflectionTopic, key).catch(() => undefined)
    // What was told meanwhile is newer.
    if (typeof set === 'string' && this.current === undefined) this.#take(set)
  }

  #take(set: string): void {
    try {
      this.current = readDescriptors(Buffer.from(set, 'base64'), this.#rules)
    } catch (error) {
      this.#log.error('what a service says of itself cannot be used; what was known before stays', {
        service: this.#service,
        error,
      })
    }
  }
}
