import type { Descriptors } from './descriptors.ts'

/** The descriptors of a service as they stand now; replaced as a whole, so that a call keeps what it began with. */
export interface LiveDescriptors {
  /** Undefined while they have not been learnt yet (reflection). */
  readonly current: Descriptors | undefined
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
