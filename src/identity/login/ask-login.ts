import type { BuildEnv } from '../../core/build-env.ts'
import { Fault } from '../../core/fault.ts'
import { loginTopic } from './login-messages.ts'
import type { LoginAttempt, LoginOutcome } from './login-messages.ts'

/** Longest wait for main: the store may be slow, and the queue of hashes full. */
const judgeWithinMs = 10_000

/** Asks main whether a password is somebody's. Rejects with `store-down` when it cannot tell in time. */
export async function askLogin(attempt: LoginAttempt, { link, clock }: Pick<BuildEnv, 'link' | 'clock'>): Promise<LoginOutcome> {
  let timer
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.after(judgeWithinMs, () => reject(new Fault('store-down', 'main did not judge the login in time')))
  })
  try {
    return (await Promise.race([link.ask(loginTopic, attempt), late])) as LoginOutcome
  } finally {
    timer!.cancel()
  }
}
