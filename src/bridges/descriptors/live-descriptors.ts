import { Fault } from '../../core/fault.ts'
import type { Descriptors } from './descriptors.ts'

/** The descriptors of a service as they stand now; replaced as a whole, so that a call keeps what it began with. */
export interface LiveDescriptors {
  /** Undefined while they have not been learnt yet (reflection). */
  readonly current: Descriptors | undefined
}

/** The descriptors of this moment. Throws the Fault `no-target` (503) while they are not known yet. */
export function knownDescriptors({ current }: LiveDescriptors): Descriptors {
  if (current === undefined) throw new Fault('no-target', 'what the service offers is not known yet')
  return current
}

/** Remembers what `make` made of the latest descriptors: a plan is compiled once for each set, not once for each call. */
export function planned<T>(make: (descriptors: Descriptors) => T): (descriptors: Descriptors) => T {
  let of: Descriptors | undefined
  let plan: T
  return (descriptors) => {
    if (descriptors !== of) {
      plan = make(descriptors)
      of = descriptors
    }
    return plan
  }
}
