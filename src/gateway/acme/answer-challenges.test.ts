import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textAnswer } from '../../core/answer.ts'
import { readAll } from '../../core/body.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { createMemoryStores } from '../../stores/memory/memory-stores.ts'
import { exchangeOf } from '../../../test/support/exchange.ts'
import { AcmeChallenges } from './acme-challenges.ts'
import { answeringChallenges, ChallengeAnswers } from './answer-challenges.ts'

test('a challenge is answered by every node while it is under way, and everything else goes on', async () => {
  const clock = new ManualClock()
  const stores = createMemoryStores(clock)
  const answers = new ChallengeAnswers(clock)
  const [one, other] = [
    new AcmeChallenges(stores, clock, () => {}),
    new AcmeChallenges(stores, clock, (live) => answers.replace(live)),
  ]
  await one.open()
  await other.open()
  const handle = answeringChallenges(answers, () => textAnswer(404, 'a route'))
  const ask = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const answer = await handle(exchangeOf({ target: path, method }))
    return [answer.status, String(await readAll(answer.body, 1000))]
  }
  const path = '/.well-known/acme-challenge/abc'
  assert.deepEqual(await ask(path), [404, 'a route'])
  const challenge = { token: 'abc', answer: 'abc.thumbprint' }
  await one.present(challenge)
  assert.deepEqual(await ask(path), [200, 'abc.thumbprint'])
  assert.equal((await ask(path, 'HEAD'))[0], 200)
  assert.deepEqual(await ask(path, 'POST'), [404, 'a route'])
  for (const target of ['/.well-known/acme-challenge/', `${path}/`, `${path}x`, '/abc', '/.well-known/acme-challenge/constructor'])
    assert.deepEqual(await ask(target), [404, 'a route'], target)

  // A node that starts meanwhile knows it too.
  const late = new AcmeChallenges(stores, clock, () => {})
  await late.open()
  assert.deepEqual(
    late.live.map(({ answer }) => answer),
    ['abc.thumbprint'],
  )

  await one.retract(challenge)
  assert.deepEqual(await ask(path), [404, 'a route'])
  await one.present(challenge)
  clock.advance(601_000)
  assert.deepEqual(await ask(path), [404, 'a route'], 'nobody retracted it')
  for (const node of [one, other, late]) node.close()
})
