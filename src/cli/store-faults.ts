import { EnvironmentFault } from '../core/environment-fault.ts'
import { Fault } from '../core/fault.ts'

/** A store that does not answer is the environment's fault, not the command's. */
export async function asFaults<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'store-down')
      throw new EnvironmentFault(`the store does not answer: ${thrown.message}`, { cause: thrown })
    throw thrown
  }
}
