import type { TestContext } from 'node:test'
import type { Answer } from '../../src/core/answer.ts'
import { textBody } from '../../src/core/body.ts'
import { silentLog } from '../../src/core/log.ts'
import { silentMeter } from '../../src/core/meter.ts'
import type { OwnIssuerSpec } from '../../src/identity/identity-spec.ts'
import { attachLoginToHub } from '../../src/identity/login/login-hub.ts'
import type { LoginHub } from '../../src/identity/login/login-hub.ts'
import { exchangeOf } from './exchange.ts'
import { GatedStores } from './gated-stores.ts'
import { contentOf, identityWorld, issuer, ownIssuer, pairOf } from './identity-world.ts'
import type { IdentityWorld, WorkerWorld } from './identity-world.ts'
import { createSoftPasskey } from './soft-authenticator.ts'
import type { CreationOptions, SoftPasskey } from './soft-authenticator.ts'

/** What one browser knows: its cookies. */
export interface SoftBrowser {
  /** Sends a request with this browser's cookies and keeps those that come back. */
  send(method: string, path: string, content?: unknown, headers?: readonly string[]): Promise<Answer>
  /** Posts a form as a page of ours would. */
  post(path: string, fields: Readonly<Record<string, string>>): Promise<Answer>
  /** Logs in by a session that was just begun for a user; made when it is not there. */
  enter(subject: string): Promise<void>
  /** The challenge of a login that was just begun. */
  challenge(): Promise<string>
  /** Registers a passkey of its own. */
  register(options?: { readonly counts?: boolean; readonly name?: string }): Promise<SoftPasskey>
  /** What is to be given to an authenticator for a new passkey. */
  creation(): Promise<CreationOptions>
  readonly cookies: Map<string, string>
}

export interface PasskeyWorld {
  readonly world: IdentityWorld
  readonly worker: WorkerWorld
  readonly hub: LoginHub
  /** The store as main sees it. */
  readonly gate: GatedStores
  /** A browser at the worker, or at another one. */
  readonly browser: (at?: WorkerWorld) => SoftBrowser
  readonly audit: () => Promise<readonly { event: string; facts: Readonly<Record<string, unknown>> }[]>
}

/** A node that has passkeys, of `api.example.com`. */
export async function passkeyWorld(t: TestContext, over: Partial<OwnIssuerSpec> = {}): Promise<PasskeyWorld> {
  const spec = { passkeys: { rpId: 'api.example.com', name: 'Example', origins: [issuer] }, ...over }
  const world = await identityWorld(spec)
  const { clock } = world
  const gate = new GatedStores(world.stores, () => clock.monotonic())
  const hub = attachLoginToHub(world.hub, {
    clock,
    log: silentLog,
    meter: silentMeter,
    store: () => ({ stores: gate, secrets: ['s'.repeat(32)] }),
  })
  hub.commit(ownIssuer(spec), '/auth')
  t.after(async () => {
    await hub.close()
    await world.close()
  })
  const worker = await world.worker()
  return {
    world,
    worker,
    hub,
    gate,
    browser: (at = worker) => softBrowser(world, at),
    audit: async () => (await world.stores.audit.list('', 100)).entries,
  }
}

function softBrowser(world: IdentityWorld, worker: WorkerWorld): SoftBrowser {
  const { clock } = world
  const cookies = new Map<string, string>()
  const keep = (answer: Answer): Answer => {
    for (const line of answer.headers.all('set-cookie')) {
      const [name, value] = pairOf(line).split('=')
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return answer
  }
  const jar = (): string[] =>
    cookies.size === 0 ? [] : ['Cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')]
  const sent = async (method: string, path: string, headers: readonly string[], body?: string): Promise<Answer> => {
    const exchange = exchangeOf({
      method,
      target: path,
      headers: ['Sec-Fetch-Site', 'same-origin', ...headers, ...jar()],
      ...(body === undefined ? {} : { body: textBody(body) }),
      startedAt: clock.now(),
      startedMono: clock.monotonic(),
    })
    return keep(await worker.identity.before(() => exchange.renderProblem({ name: 'no-route' }, exchange))(exchange))
  }
  const browser: SoftBrowser = {
    cookies,
    send: (method, path, content, headers = []) =>
      sent(
        method,
        path,
        content === undefined ? headers : ['Content-Type', 'application/json', ...headers],
        content === undefined ? undefined : JSON.stringify(content),
      ),
    post: (path, fields) =>
      sent(
        'POST',
        path,
        ['Accept', 'text/html', 'Content-Type', 'application/x-www-form-urlencoded'],
        new URLSearchParams(fields).toString(),
      ),
    async enter(subject) {
      const login = await world.login(subject)
      const started = await worker.parts.sessions.start(login, worker.exchange())
      const [name, value] = pairOf(started.setCookie).split('=')
      cookies.set(name, value)
    },
    async challenge() {
      const { publicKey } = contentOf(await browser.send('POST', '/auth/passkey/login/options')) as {
        publicKey: { challenge: string }
      }
      return publicKey.challenge
    },
    async creation() {
      const answer = await browser.send('POST', '/auth/passkey/register/options')
      return (contentOf(answer) as { publicKey: CreationOptions }).publicKey
    },
    async register({ counts = false, name = 'Laptop' } = {}) {
      const passkey = createSoftPasskey(await browser.creation(), issuer, { counts })
      const answer = await browser.send('POST', '/auth/passkey/register', { credential: passkey.attestation, name })
      if (answer.status !== 201) throw new Error(`the passkey was not registered: ${answer.status}`)
      return passkey
    },
  }
  return browser
}
