import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bearer, explainWorld, json } from '../../test/support/explain-world.ts'
import { explainOffline } from './explain-offline.ts'
import type { ExplainQuestion } from './explanation.ts'
import { QuestionError } from './explanation.ts'

describe('explain', () => {
  test('says for a request that passes how its limits and its service stand, and charges nothing', async (t) => {
    const w = await explainWorld(t)
    const question = { url: '/orders/1', headers: [bearer(w.clock)] }
    for (let i = 0; i < 3; i++) {
      const { outcome, steps, identity, route, services, state } = await w.explain(question)
      assert.equal(outcome, undefined)
      assert.equal(state, 'live')
      assert.equal(route?.params['id'], '1')
      assert.equal(identity?.tenant, 'partner')
      assert.ok(steps.some(({ words }) => words.includes('perTenant') && words.includes('2 left for tenant "partner"')))
      assert.deepEqual(services[0].targets, [{ address: '127.0.0.1:7002', weight: 1, state: 'in' }])
      assert.match(steps.at(-1)!.words, /1 of 1 targets of orders take requests/)
    }
  })

  test('asks the policies behind a refusal too, and says that they are not reached', async (t) => {
    const w = await explainWorld(t)
    const { steps } = await w.explain({ url: '/orders/1' })
    const limits = steps.filter(({ policy }) => policy === 'limits')
    assert.deepEqual(
      limits.map(({ isReached, decision }) => [isReached, decision]),
      [
        [true, 'passes'],
        [false, 'passes'],
      ],
    )
  })

  test('tells a policy in shadow from one that refuses', async (t) => {
    const w = await explainWorld(t)
    const { outcome, steps } = await w.explain({ url: '/watched' })
    assert.equal(outcome, undefined)
    const shadow = steps.find(({ policy }) => policy === 'addresses')
    assert.equal(shadow?.decision, 'would-refuse')
    assert.equal(shadow?.status, 403)
    assert.equal(shadow?.source, 'routes[7].addresses.allow')
  })

  test('says why routes that are near do not match', async (t) => {
    const w = await explainWorld(t)
    const beta = await w.explain({ url: 'https://localhost:8443/beta' })
    assert.deepEqual(
      beta.nearMisses.map(({ route, failed }) => [route, failed]),
      [['beta', ['host', 'header']]],
    )
    const slash = await w.explain({ url: '/staff/' })
    assert.match(slash.nearMisses[0].why[0], /ends with a slash/)
    const slip = await w.explain({ url: '/oders/3' })
    assert.match(slip.nearMisses[0].why[0], /"oders" where .* has "orders"/)
    const second = await w.explain({ url: '/orders/3' })
    assert.equal(second.route?.name, 'orders')
    assert.match(second.nearMisses[0].why[0], /it matches too, but orders comes first: its path .* is more particular/)
  })

  test('judges a content that is told, and leaves open what is not', async (t) => {
    const w = await explainWorld(t)
    const post = { method: 'POST', url: '/form' }
    const wrong = await w.explain({ ...post, headers: [json], body: '{}' })
    assert.deepEqual([wrong.outcome?.status, wrong.outcome?.source], [422, 'routes[10].body.schema'])
    assert.equal((await w.explain({ ...post, headers: [json], body: '{"a":1}' })).outcome, undefined)
    const untold = await w.explain({ ...post, headers: [json, ['content-length', '7']] })
    assert.equal(untold.outcome, undefined)
    assert.equal(untold.steps.find(({ code }) => code === 'not-read')?.decision, 'unknown')
  })

  test('leaves open what another service decides', async (t) => {
    const w = await explainWorld(t)
    const { outcome, steps } = await w.explain({ url: '/asked', headers: [bearer(w.clock)] })
    assert.equal(outcome, undefined)
    const asked = steps.find(({ code }) => code === 'would-ask')
    assert.deepEqual([asked?.decision, asked?.source], ['unknown', 'routes[9].auth.external'])
  })

  test('leaves open what the content decides when it is not told', async (t) => {
    const w = await explainWorld(t)
    const { outcome } = await w.explain({ method: 'POST', url: '/upload', headers: [json, ['transfer-encoding', 'chunked']] })
    assert.equal(outcome, undefined)
  })

  test('says that a browser is led to the login instead of being refused', async (t) => {
    const w = await explainWorld(t)
    assert.match((await w.explain({ url: '/page' })).notes.join(' '), /led to \/auth\/login/)
    assert.doesNotMatch((await w.explain({ url: '/staff' })).notes.join(' '), /login/)
  })

  test('refuses what is no question', async (t) => {
    const w = await explainWorld(t)
    const bad: Partial<ExplainQuestion>[] = [
      { method: 'G T' },
      { url: 'ftp://x/' },
      { url: '/a b' },
      { url: 'http://localhost:8080@evil/' },
      { headers: [['x y', '1']] },
      { headers: [['x', 'a\r\nb: c']] },
      { address: 'nowhere' },
      { listener: 'none' },
      { headers: [['content-length', '-1']] },
      { url: '/staff', caller: { subject: 'ada', kind: 'guess' } },
    ]
    for (const question of bad) await assert.rejects(w.explain(question), QuestionError, JSON.stringify(question))
  })

  test('works without a gateway, and says what cannot be known then', async (t) => {
    const { model } = await explainWorld(t)
    const question = { method: 'GET', url: '/orders/1', headers: [], caller: { subject: 'ada', scopes: ['orders:read'] } }
    const told = await explainOffline(model, question)
    assert.equal(told.state, 'offline')
    assert.equal(told.outcome, undefined)
    assert.match(told.notes.join(' '), /limits are at their fresh level/)
    assert.match(told.notes.join(' '), /running gateway only/)
  })
})
