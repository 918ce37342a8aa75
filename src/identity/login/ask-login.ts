import type { BuildEnv } from '../../core/build-env.ts'
import { askInTime } from '../ask-in-time.ts'
import { loginTopic } from './login-messages.ts'
import type { LoginAttempt, LoginOutcome } from './login-messages.ts'

/** Longest wait for main: the store may be slow, and the queue of hashes full. */
const judgeWithinMs = 10_000

/** Asks main whether a password is somebody's. Rejects with `store-down` when it cannot tell in time. */
export async function askLogin(attempt: LoginAttempt, env: Pick<BuildEnv, 'link' | 'clock'>): Promise<LoginOutcome> {
  return (await askInTime(env, loginTopic, attempt, judgeWithinMs)) as LoginOutcome
}
