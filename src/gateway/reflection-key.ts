import { createHash } from 'node:crypto'
import type { ServiceModel } from '../config/model.ts'

/** On this topic workers ask main what a service says of itself, and hear when that changed. */
export const reflectionTopic = 'bridges/reflection'

/** Says everything that the asking of a service depends on: the same key is the same question. */
export function reflectionKey({ name, targets, tls, grpc }: ServiceModel): string {
  return createHash('sha256')
    .update(JSON.stringify([name, targets, tls, grpc?.reflection]))
    .digest('hex')
}
