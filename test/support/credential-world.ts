import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerCertificate } from 'node:tls'
import { checkGateway } from '../../src/config/check.ts'
import { jsonAnswer } from '../../src/core/answer.ts'
import type { Answer } from '../../src/core/answer.ts'
import type { Exchange, TlsFacts } from '../../src/core/exchange.ts'
import { silentLog } from '../../src/core/log.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { silentMeter } from '../../src/core/meter.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import { compileGeneration } from '../../src/gateway/compile.ts'
import { loneWorkerEnv } from '../../src/gateway/lone-worker.ts'
import { attachIdentityToHub } from '../../src/identity/identity-hub.ts'
import { attachLoginToHub } from '../../src/identity/login/login-hub.ts'
import { createMemoryStores } from '../../src/stores/memory/memory-stores.ts'
import type { Stores } from '../../src/core/stores.ts'
import type { IdentityHub } from '../../src/identity/identity-hub.ts'
import type { LoginHub } from '../../src/identity/login/login-hub.ts'
import type { Link } from '../../src/core/link.ts'
import { exchangeOf } from './exchange.ts'
import { LocalHub } from './local-hub.ts'
import { jwkSet, signingKey } from './token-issuer.ts'

/** What a request presents. */
export interface Presented {
  /** Name, value, name, value … */
  readonly headers?: readonly string[]
  readonly certificate?: PeerCertificate
}

export interface Asked {
  readonly answer: Answer
  readonly x: Exchange
  /** What the service was told of the caller: `x-auth-*` by their ends; undefined when it was not reached. */
  readonly told: Record<string, string> | undefined
}

/** A whole compiled configuration over a store in memory, in one thread and under a clock that stands still. */
export interface CredentialWorld {
  readonly clock: ManualClock
  readonly stores: Stores
  readonly keys: IdentityHub
  readonly logins: LoginHub
  readonly link: Link
  /** What the issuer of opaque tokens says of each. */
  readonly opaque: Map<string, unknown>
  ask(presented: Presented, method?: string, path?: string, body?: Exchange['body']): Promise<Asked>
  close(): Promise<void>
}

export const partnerKey = signingKey('ES256', 'partner-1')

/** `config` may name `{folder}/partner.json`, the published keys of `partnerKey`. */
export async function credentialWorld(config: (folder: string) => unknown): Promise<CredentialWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-credentials-'))
  writeFileSync(join(folder, 'partner.json'), jwkSet(partnerKey))
  const clock = new ManualClock()
  const { model, findings } = checkGateway(config(folder), { file: join(folder, 'velum.config.json') }, { now: clock.now() })
  if (model === undefined) throw new Error(JSON.stringify(findings))
  const stores = createMemoryStores(clock)
  const hub = new LocalHub()
  const env = { clock, log: silentLog, meter: silentMeter, store: () => ({ stores, secrets: ['s'.repeat(32)] }) }
  const keys = attachIdentityToHub(hub, env)
  const logins = attachLoginToHub(hub, env)
  await keys.prepare(model)
  keys.commit()
  logins.commit(model.identity.own, model.identity.path)
  const opaque = new Map<string, unknown>()
  const sweeper = new Sweeper(clock)
  const link = hub.link()
  let told: Record<string, string> | undefined
  const generation = compileGeneration(model, {
    ...loneWorkerEnv({ clock, sweeper, link }),
    stores,
    fetch: async (_url, init) => {
      const token = new URLSearchParams(init?.body as string).get('token')!
      return new Response(JSON.stringify(opaque.get(token) ?? { active: false }))
    },
    createService: () => ({
      targets: [],
      service: (call) => {
        told = {}
        call.headers.forEach((name, value) => {
          if (name.startsWith('x-auth-')) told![name.slice('x-auth-'.length)] = value
        })
        return jsonAnswer(200, {})
      },
      close() {},
    }),
  })
  await generation.ready
  return {
    clock,
    stores,
    keys,
    logins,
    link,
    opaque,
    async ask({ headers, certificate }, method = 'GET', path = '/any', body) {
      const tls: TlsFacts = {
        protocol: 'TLSv1.3',
        cipher: '',
        serverName: undefined,
        clientCertificate: () => certificate,
      }
      const x = exchangeOf({
        method,
        target: path,
        headers: headers ?? [],
        listener: 'api',
        tls,
        startedAt: clock.now(),
        startedMono: clock.monotonic(),
        ...(body === undefined ? {} : { body }),
      })
      told = undefined
      const answer = await generation.served('api')!.handle(x)
      return { answer, x, told }
    },
    async close() {
      generation.close()
      sweeper.close()
      await logins.close()
      keys.close()
      await stores.close()
      rmSync(folder, { recursive: true })
    },
  }
}
