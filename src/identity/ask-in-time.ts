import type { BuildEnv } from '../core/build-env.ts'
import { Fault } from '../core/fault.ts'

/** Asks main; a main that is late is as one that is not there (`store-down`). */
export async function askInTime(
  { link, clock }: Pick<BuildEnv, 'link' | 'clock'>,
  topic: string,
  message: unknown,
  withinMs: number,
): Promise<unknown> {
  let timer
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.after(withinMs, () => reject(new Fault('store-down', 'main did not answer in time')))
  })
  try {
    return await Promise.race([link.ask(topic, message), late])
  } finally {
    timer!.cancel()
  }
}
