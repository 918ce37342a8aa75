import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Answer, textAnswer } from './answer.ts'
import { BytesBody, emptyBody } from './body.ts'
import { Exchange } from './exchange.ts'
import { Fault } from './fault.ts'
import type { Handler } from './handler.ts'
import { isPromise } from './handler.ts'
import { Headers } from './headers.ts'
import { compose, finish, inStageOrder, peekAll } from './pipeline.ts'
import type { DecideMode, Outcome, Policy, Stage } from './policy.ts'
import { pass, refuse } from './verdict.ts'
import type { Verdict } from './verdict.ts'

function exchange(): Exchange {
  return new Exchange({
    method: 'GET',
    target: '/',
    headers: new Headers(),
    version: '1.1',
    authority: '',
    upgrade: undefined,
    connection: { listener: 'test', remoteAddress: '', remotePort: 0, localPort: 0, tls: undefined },
    link: { inform() {} },
    body: emptyBody,
    startedAt: 0,
    startedMono: 0,
  })
}

type Decision = Verdict | Error | 'waits' | 'waits and fails'

/** A policy that writes down what happens to it. */
function policy(name: string, log: string[], decision?: Decision, parts: Partial<Policy> = {}): Policy {
  return {
    name,
    stage: 'custom',
    source: `policies.${name}`,
    ...(decision === undefined
      ? {}
      : {
          decide(_x: Exchange, mode: DecideMode) {
            log.push(mode === 'peek' ? `${name}?` : name)
            if (decision instanceof Error) throw decision
            if (decision === 'waits') return Promise.resolve(pass('waited'))
            if (decision === 'waits and fails') return Promise.reject(new Fault('store-down'))
            return decision
          },
        }),
    onHead(_x, answer) {
      log.push(`${name}←${answer.status}`)
    },
    onDone(_x, outcome) {
      log.push(`${name} done: ${outcome.end}`)
    },
    ...parts,
  }
}

/** A policy that stands around the rest. */
function wrapping(name: string, log: string[], decision?: Decision): Policy {
  return policy(name, log, decision, {
    wrap: (next) => (x) => {
      log.push(`${name}(`)
      const leave = (answer: Answer): Answer => {
        log.push(`)${name} ${answer.status}`)
        return answer
      }
      const answer = next(x)
      return isPromise(answer) ? answer.then(leave) : leave(answer)
    },
  })
}

const yes = pass('yes')
const no = refuse('no', { name: 'forbidden' })
const complete: Outcome = { end: 'complete', status: 200, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 }

function ending(log: string[]): Handler {
  return () => {
    log.push('end')
    return textAnswer(200, 'ok')
  }
}

const of = (name: string, stage: Stage): Policy => ({ name, stage, source: '' })

describe('the order of policies', () => {
  it('is that of their stages, and within one that in which they were given', () => {
    const given = [of('cache', 'cache'), of('b', 'limit'), of('a', 'limit'), of('auth', 'authenticate'), of('head', 'answer-head')]
    assert.deepEqual(
      inStageOrder(given).map(({ name }) => name),
      ['head', 'auth', 'b', 'a', 'cache'],
    )
  })
})

describe('a chain of policies', () => {
  it('decides inwards and sees the head outwards, without a promise where nothing waits', () => {
    const log: string[] = []
    const x = exchange()
    const answer = compose([policy('a', log, yes), policy('b', log), policy('c', log, yes)], ending(log))(x)
    assert.ok(!isPromise(answer))
    assert.equal(answer.status, 200)
    assert.deepEqual(log, ['a', 'c', 'end', 'c←200', 'b←200', 'a←200'])
    assert.deepEqual(Array.from(x.verdicts), [yes, undefined, yes])
    assert.equal(x.reached, 3)
  })

  it('goes on in the same way after a decision that waits', async () => {
    const log: string[] = []
    const x = exchange()
    const answer = await compose([policy('a', log, yes), policy('b', log, 'waits'), policy('c', log, no)], ending(log))(x)
    assert.equal(answer.status, 403)
    assert.deepEqual(log, ['a', 'b', 'c', 'c←403', 'b←403', 'a←403'])
    assert.equal(x.verdicts[1]?.code, 'waited')
  })

  it('turns back at a refusal, past the policies that were reached and no other', () => {
    const log: string[] = []
    const x = exchange()
    const policies = [policy('a', log, yes), policy('b', log, no), policy('c', log, yes)]
    const answer = compose(policies, ending(log))(x) as Answer
    assert.equal(answer.status, 403)
    assert.deepEqual(log, ['a', 'b', 'b←403', 'a←403'])
    assert.equal(x.refusedBy, policies[1])
    assert.equal(x.refusal, no)
    log.length = 0
    finish(policies, x, complete, () => assert.fail())
    assert.deepEqual(log, ['a done: complete', 'b done: complete'])
  })

  const failures: [string, (log: string[]) => Policy, number, string][] = [
    ['a decision that throws', (log) => policy('b', log, new Error('a bug')), 500, 'internal'],
    ['a decision that throws a fault', (log) => policy('b', log, new Fault('store-down')), 503, 'store-down'],
    ['a decision that rejects', (log) => policy('b', log, 'waits and fails'), 503, 'store-down'],
  ]
  for (const [what, make, status, code] of failures) {
    it(`makes a problem of ${what}, which the policies reached see`, async () => {
      const log: string[] = []
      const x = exchange()
      const answer = await compose([policy('a', log, yes), make(log), policy('c', log, yes)], ending(log))(x)
      assert.equal(answer.status, status)
      assert.equal(x.fault?.code, code)
      assert.equal(x.reached, 2)
      assert.deepEqual(log, ['a', 'b', `b←${status}`, `a←${status}`])
      assert.doesNotMatch(String(answer.body.bytes), /a bug/)
    })
  }

  it('makes a problem of a fault behind it, thrown or rejected', async () => {
    const fault = new Fault('service-nonsense')
    const ends: Handler[] = [
      () => {
        throw fault
      },
      () => Promise.reject(fault),
    ]
    for (const end of ends) {
      const log: string[] = []
      const x = exchange()
      const answer = await compose([policy('a', log, yes)], end)(x)
      assert.equal(answer.status, 502)
      assert.equal(x.fault, fault)
      assert.deepEqual(log, ['a', 'a←502'])
    }
    const bare = await compose([], ends[1])(exchange())
    assert.equal(bare.status, 502)
  })

  it('replaces an answer whose head a policy broke, gives its body up, and shows the others the new one', () => {
    const log: string[] = []
    let cancelled: string | undefined
    const body = new BytesBody(Buffer.from('x'))
    body.cancel = (why?: Fault) => {
      cancelled = why?.code
    }
    const bad = policy('b', log, yes, {
      onHead() {
        throw new Error('a bug')
      },
    })
    const x = exchange()
    const answer = compose(
      [policy('a', log, yes), bad, policy('c', log, yes)],
      () => new Answer(200, new Headers(), body),
    )(x) as Answer
    assert.equal(answer.status, 500)
    assert.equal(cancelled, 'internal')
    assert.deepEqual(log, ['a', 'b', 'c', 'c←200', 'a←500'])
  })

  it('puts a wrapping policy around everything behind it, and its own decision in front', async () => {
    const log: string[] = []
    const x = exchange()
    const policies = [
      policy('a', log, yes),
      wrapping('w', log, yes),
      policy('b', log, 'waits'),
      wrapping('v', log),
      policy('c', log, yes),
    ]
    const answer = await compose(policies, ending(log))(x)
    assert.equal(answer.status, 200)
    assert.deepEqual(log, ['a', 'w', 'w(', 'b', 'v(', 'c', 'end', 'c←200', ')v 200', 'v←200', 'b←200', ')w 200', 'w←200', 'a←200'])
    assert.equal(x.reached, 5)
    assert.deepEqual(
      Array.from(x.verdicts, (verdict) => verdict?.code),
      ['yes', 'yes', 'waited', undefined, 'yes'],
    )
  })

  it('does not reach what a wrapping policy answers for, as a cache does', () => {
    const log: string[] = []
    const x = exchange()
    const cache = policy('cache', log, yes, { wrap: () => () => textAnswer(203, 'kept') })
    const policies = [policy('a', log, yes), cache, policy('b', log, yes)]
    const answer = compose(policies, ending(log))(x) as Answer
    assert.equal(answer.status, 203)
    assert.deepEqual(log, ['a', 'cache', 'cache←203', 'a←203'])
    log.length = 0
    finish(policies, x, complete, () => assert.fail())
    assert.deepEqual(log, ['a done: complete', 'cache done: complete'])
  })

  it('hands a wrapping policy answers only: faults behind it have become problems', async () => {
    const log: string[] = []
    for (const end of [() => Promise.reject(new Fault('service-timeout')), () => assert.fail('a bug')] as Handler[]) {
      const answer = await compose([wrapping('w', log)], end)(exchange())
      assert.ok(answer.status === 504 || answer.status === 500)
    }
    assert.deepEqual(log, ['w(', ')w 504', 'w←504', 'w(', ')w 500', 'w←500'])
  })

  it('makes a problem of a wrapping policy that fails itself', async () => {
    const log: string[] = []
    const bad = policy('w', log, undefined, { wrap: () => () => Promise.reject(new Error('a bug')) })
    const x = exchange()
    assert.equal((await compose([policy('a', log, yes), bad], ending(log))(x)).status, 500)
    assert.deepEqual(log, ['a', 'w←500', 'a←500'])
  })

  it('places verdicts behind those of the chain before it', () => {
    const log: string[] = []
    const x = exchange()
    const inner = [policy('c', log, yes), policy('d', log, no)]
    const outer = [policy('a', log, yes), policy('b', log, yes)]
    const answer = compose(outer, compose(inner, ending(log), outer.length))(x) as Answer
    assert.equal(answer.status, 403)
    assert.deepEqual(x.verdicts, [yes, yes, yes, no])
    assert.equal(x.reached, 4)
    log.length = 0
    finish(outer, x, complete, () => assert.fail())
    finish(inner, x, complete, () => assert.fail(), outer.length)
    assert.deepEqual(log, ['a done: complete', 'b done: complete', 'c done: complete', 'd done: complete'])
  })
})

describe('the end of an exchange', () => {
  it('reaches every policy that was reached, whatever another one does', () => {
    const log: string[] = []
    const x = exchange()
    const bad = policy('a', log, yes, {
      onDone() {
        throw new Error('a bug')
      },
    })
    const policies = [bad, policy('b', log, yes), policy('c', log)]
    void compose(policies, ending(log))(x)
    log.length = 0
    const failed: string[] = []
    finish(policies, x, { ...complete, end: 'client-left' }, (thrown, by) => failed.push(`${by.name}: ${String(thrown)}`))
    assert.deepEqual(log, ['b done: client-left', 'c done: client-left'])
    assert.deepEqual(failed, ['a: Error: a bug'])
  })

  it('reaches nobody when nobody was', () => {
    const log: string[] = []
    finish([policy('a', log, yes)], exchange(), complete, () => assert.fail())
    finish([policy('a', log, yes)], exchange(), complete, () => assert.fail(), 3)
    assert.deepEqual(log, [])
  })
})

describe('peeking', () => {
  it('asks every policy, also behind a refusal and behind one that waits, and touches nothing', async () => {
    const log: string[] = []
    const x = exchange()
    const verdicts = await peekAll(
      [policy('a', log, yes), policy('b', log, no), policy('c', log), policy('d', log, 'waits'), policy('e', log, no)],
      x,
    )
    assert.deepEqual(
      verdicts.map((verdict) => verdict?.code),
      ['yes', 'no', undefined, 'waited', 'no'],
    )
    assert.deepEqual(log, ['a?', 'b?', 'd?', 'e?'])
    assert.deepEqual([x.verdicts.length, x.reached, x.refusedBy, x.fault], [0, 0, undefined, undefined])
  })

  it('does not wait where nothing waits', () => {
    assert.ok(!isPromise(peekAll([policy('a', [], yes), policy('b', [], no)], exchange())))
  })

  it('says what a policy that fails would answer, and goes on', async () => {
    const log: string[] = []
    const policies = [policy('a', log, new Error('a bug')), policy('b', log, 'waits and fails'), policy('c', log, yes)]
    const verdicts = await peekAll(policies, exchange())
    assert.deepEqual(
      verdicts.map((verdict) => [verdict?.code, verdict?.refusal?.name]),
      [
        ['failed', 'internal'],
        ['failed', 'unavailable'],
        ['yes', undefined],
      ],
    )
    assert.equal(verdicts[0]?.words?.(), 'internal: a bug')
  })
})
