import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdminHandler } from '../../src/admin/admin-handler.ts'
import { dashboardEndpoints } from '../../src/admin/dashboard-endpoints.ts'
import { dashboardFiles } from '../../src/admin/dashboard-files.ts'
import { createDashboardSessions } from '../../src/admin/dashboard-sessions.ts'
import { explainEndpoints } from '../../src/admin/explain-endpoints.ts'
import { openHandlerServer } from '../../src/admin/handler-server.ts'
import { createHostCheck } from '../../src/admin/host-check.ts'
import { explanationText } from '../../src/cli/explain-text.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import type { ExplainQuestion, Explanation } from '../../src/gateway/explanation.ts'
import { launchChromium, noChromium } from '../support/chromium.ts'
import { buildDashboard } from '../support/dashboard-world.ts'
import { refusalCases } from '../support/explain-cases.ts'
import { explainWorld } from '../support/explain-world.ts'

const token = 'a token of administrators'

test(
  'the dashboard tells of every kind of refusal what `velum explain` tells',
  { skip: noChromium, timeout: 120_000 },
  async (t) => {
    buildDashboard()
    // oxlint-disable-next-line unicorn/consistent-function-scoping -- each case puts its own in its place
    let explain: (question: ExplainQuestion) => Promise<Explanation> = () => Promise.reject(new Error('nothing to explain'))
    let asked: Explanation | undefined
    const askedNow = (): Explanation => {
      assert.ok(asked !== undefined)
      return asked
    }
    const tokens = {
      admin: token,
      metrics: 'another',
      adminFile: undefined,
      roleOf: (text: string) => (text === token ? ('admin' as const) : undefined),
    }
    const sessions = createDashboardSessions(systemClock)
    const source = {
      async explain(question: ExplainQuestion): Promise<Explanation> {
        asked = await explain(question)
        return asked
      },
    }
    const server = await openHandlerServer({
      name: 'admin',
      host: '127.0.0.1',
      port: 0,
      clock: systemClock,
      log: silentLog,
      handler: createAdminHandler({
        endpoints: [...dashboardFiles(), ...dashboardEndpoints(tokens, sessions), ...explainEndpoints(source)],
        tokens,
        sessions,
        isOwnHost: createHostCheck('127.0.0.1', []),
      }),
    })
    t.after(() => server.close())
    const browser = await launchChromium(t)
    const page = await browser.newPage()
    await page.goto(`${server.url}/#token=${token}`)
    await page.getByRole('link', { name: 'Explain', exact: true }).click()
    await page.locator('summary').click()

    const kinds = new Set<string>()
    for (const [number, { title, ask, standings, expected }] of refusalCases.entries()) {
      await t.test(title, async (tt) => {
        const world = await explainWorld(tt)
        const question = await ask(world)
        explain = (whole) => world.explain(whole, standings)
        const { caller } = question
        const place = new URLSearchParams({
          method: question.method ?? 'GET',
          url: question.url ?? '/',
          headers: (question.headers ?? []).map(([name, value]) => `${name}: ${value}`).join('\n'),
          body: question.body ?? '',
          address: question.address ?? '',
          subject: caller?.subject ?? '',
          kind: caller?.kind ?? '',
          roles: caller?.roles?.join(' ') ?? '',
          claims: caller?.claims === undefined ? '' : JSON.stringify(caller.claims),
        })
        asked = undefined
        const answered = page.waitForResponse((response) => response.url().endsWith('/api/explain'))
        // A link asks at once; what stands in it stands in the form then, to be asked again.
        await page.evaluate(`location.hash = ${JSON.stringify(`#/explain?${String(place)}&case=${number}`)}`)
        await answered
        if (number === 0) {
          asked = undefined
          await Promise.all([
            page.waitForResponse((response) => response.url().endsWith('/api/explain')),
            page.getByRole('button', { name: 'Explain' }).click(),
          ])
        }
        const told = askedNow()
        assert.ok(told.outcome !== undefined)
        const { outcome } = told
        assert.deepEqual([outcome.policy, outcome.code, outcome.source], [expected.policy, expected.code, expected.source])
        const shown = page.locator('[data-of=outcome]')
        await shown.filter({ hasText: told.summary }).waitFor()
        const text = (await shown.textContent()) ?? ''
        assert.ok(explanationText(told).split('\n').includes(text), `${text} is not what the command says`)
        // Policy, rule and place stand in what is read, and in the table of all policies.
        for (const part of [outcome.policy, `(${outcome.code})`, outcome.source, outcome.words])
          assert.ok(text.includes(part), part)
        const row = page.getByRole('region', { name: 'Verdicts' }).getByRole('row').filter({ hasText: outcome.words })
        const cells = await row.first().getByRole('cell').allTextContents()
        assert.deepEqual(cells.slice(2), [outcome.words, outcome.source || 'built in'])
        kinds.add(`${outcome.policy} ${outcome.code}`)
      })
    }
    assert.ok(kinds.size >= 12, `${kinds.size} kinds`)
  },
)
