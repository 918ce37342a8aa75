import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import type { TestAuthority } from '../../test/support/authority.ts'
import { purged } from './http-activities.ts'
import type { World } from './world.ts'
import { wordsOf } from './world.ts'

/** The admin server said 503: whether it had to is judged in the end. */
class Unavailable extends Error {}

/** What the operator did, and what of it did not come to pass. */
export class Operator {
  readonly done = { reloads: 0, purges: 0, drains: 0, certificates: 0 }
  readonly failed = { reloads: 0, purges: 0, drains: 0, certificates: 0 }
  readonly #world: World
  readonly #folder: string
  readonly #configs: readonly unknown[]
  readonly #authority: TestAuthority

  constructor(world: World, folder: string, configs: readonly unknown[], authority: TestAuthority) {
    this.#world = world
    this.#folder = folder
    this.#configs = configs
    this.#authority = authority
  }

  /** Changes things until the world stops, each at its own pace. */
  async work(): Promise<void> {
    await Promise.all([
      this.#every(4000, 'reloads', () => this.#reload()),
      this.#every(2500, 'purges', () => this.#purge()),
      this.#every(8000, 'drains', () => this.#drain()),
      this.#every(20_000, 'certificates', () => this.#renew()),
    ])
  }

  async #every(pauseMs: number, what: keyof Operator['done'], act: () => Promise<boolean>): Promise<void> {
    await sleep(pauseMs / 2)
    for (; !this.#world.isStopping(); await sleep(pauseMs)) {
      try {
        if (await act()) this.done[what]++
        else this.failed[what]++
      } catch (thrown) {
        if (thrown instanceof Unavailable) continue
        this.failed[what]++
        this.#world.ledger.note(`operator, ${what}: ${wordsOf(thrown)}`)
      }
    }
  }

  async #reload(): Promise<boolean> {
    const next = (this.done.reloads + this.failed.reloads + 1) % this.#configs.length
    writeFileSync(join(this.#folder, 'velum.config.json'), JSON.stringify(this.#configs[next]))
    const { status, text } = await this.#world.admin.call('POST', '/api/reload')
    return this.#isAs('reloads', status, text, 200)
  }

  /** From its acknowledgement on, nothing may be answered that is older than what the service says by then. */
  async #purge(): Promise<boolean> {
    const { services, admin } = this.#world
    const path = `/cached/key-${this.done.purges % 60}`
    const version = (services.versions.get(path) ?? 0) + 1
    services.versions.set(path, version)
    const order = this.done.purges % 5 === 4 ? { tag: 'soak' } : { prefix: `${this.#world.plain}${path}` }
    for (const origin of [this.#world.plain, this.#world.secure]) {
      const { status, text } = await admin.call('POST', '/api/cache/purge', 'tag' in order ? order : { prefix: `${origin}${path}` })
      if (!this.#isAs('purges', status, text, 204)) return false
    }
    purged.set(path, version)
    return true
  }

  /** A drained target gets nothing that was asked for since, and what it had ends well. */
  async #drain(): Promise<boolean> {
    const { services, admin, ledger } = this.#world
    const index = this.done.drains % 2
    const address = new URL(services.targets[index]).host
    const path = `/api/services/plain/targets/${encodeURIComponent(address)}/drain`
    const { status, text } = await admin.call('PUT', path)
    if (!this.#isAs('drains', status, text, 200)) return false
    // What was sent to it before may still wait for a connection; each request says by its number when it was asked.
    const watch = { index, since: ledger.begun, count: 0 }
    services.watch(watch)
    await sleep(1100)
    services.watch(undefined)
    if (watch.count > 0) ledger.note('operator, drains: a request reached a drained target', watch.count)
    const back = await admin.call('DELETE', path)
    return this.#isAs('drains', back.status, back.text, 200) && watch.count === 0
  }

  /** New handshakes get the renewed certificate, soon. */
  async #renew(): Promise<boolean> {
    const { cert, key } = await this.#authority.issue('localhost')
    writeFileSync(join(this.#folder, 'server.key'), key)
    writeFileSync(join(this.#folder, 'server.pem'), cert)
    const der = Buffer.from(cert.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    for (let waited = 0; waited < 10_000; waited += 200) {
      await sleep(200)
      if ((await this.#served()).equals(der)) return true
    }
    return false
  }

  #isAs(what: keyof Operator['done'], status: number, text: string, expected: number): boolean {
    if (status === 503) {
      this.#world.ledger.unavailable(`operator, ${what}: 503 ${text.slice(0, 300)}`)
      throw new Unavailable()
    }
    if (status !== expected) this.#world.ledger.note(`operator, ${what}: ${status} ${text.slice(0, 300)}`)
    return status === expected
  }

  #served(): Promise<Buffer> {
    const { port } = new URL(this.#world.secure)
    return new Promise((resolve, reject) => {
      const socket: TLSSocket = connect(
        { host: '127.0.0.1', port: Number(port), servername: 'localhost', ca: this.#world.ca },
        () => {
          resolve(socket.getPeerCertificate().raw)
          socket.destroy()
        },
      )
      socket.on('error', reject)
    })
  }
}
