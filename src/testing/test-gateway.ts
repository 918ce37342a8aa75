import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkGateway } from '../config/check.ts'
import { formatFindings } from '../config/format-findings.ts'
import type { GatewayInput } from '../config/input.ts'
import { loadGateway } from '../config/load.ts'
import { loadDescriptors } from '../config/load-descriptors.ts'
import { loadPolicies } from '../config/load-policies.ts'
import type { GatewayModel } from '../config/model.ts'
import { BytesBody, readAll } from '../core/body.ts'
import { faultFrom } from '../core/fault.ts'
import type { Fault } from '../core/fault.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { exchangeOf } from '../gateway/explain-exchange.ts'
import { completeExplanation } from '../gateway/explain-services.ts'
import type { AssumedCaller, Explanation } from '../gateway/explanation.ts'
import { openInProcess } from '../gateway/in-process.ts'
import type { InProcess } from '../gateway/in-process.ts'
import { parseDuration } from '../lib/duration.ts'
import { createMemoryStores } from '../stores/memory/memory-stores.ts'
import { assume, believingTests } from './assumed-callers.ts'
import type { FakeService, TestCall } from './fake-service.ts'
import { FakeServices } from './fake-service.ts'
import type { Content } from './message-body.ts'
import { contentBytes } from './message-body.ts'
import { TestAnswer } from './test-answer.ts'

/** What a test gateway is opened with besides its configuration. */
export interface TestGatewayOptions {
  /** The gateway that is meant, where the file holds several. */
  readonly only?: string
  /** What `process.env` and `${NAME}` yield in the configuration. Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** When the test begins. Default: the first of January 2026, in UTC. */
  readonly now?: Date
}

/** What a request has besides method and URL. */
export interface TestRequest {
  readonly headers?: Readonly<Record<string, string>>
  /** Text, bytes, or a value that is sent as JSON. */
  readonly body?: Content
  /** Who calls; a credential is then taken for granted. Absent: whoever its headers prove. */
  readonly as?: AssumedCaller
  /** The peer's address. Default: 127.0.0.1. */
  readonly from?: string
  /** The listener that it comes by. Default: the one that the URL leads to. */
  readonly listener?: string
}

/**
 * A configuration with all its policies in this process: no port is opened, time moves when it is told to, services answer
 * what the test says, and limits, penalties and sessions begin afresh.
 */
export interface TestGateway extends AsyncDisposable {
  /** One request, as a client would send it to this URL or path. Rejects only for what is no request. */
  request(method: string, url: string, request?: TestRequest): Promise<TestAnswer>
  /** What would be decided about a request, as `velum explain` says it; charges nothing. */
  explain(method: string, url: string, request?: TestRequest): Promise<Explanation>
  /** Says what a service answers from now on; until then it answers 200 without content. */
  service(name: string, fake: FakeService): void
  /** What services were asked, in order; of one, where it is named. */
  calls(service?: string): readonly TestCall[]
  /** Lets time pass: milliseconds, or a duration such as `10s`. */
  advance(time: number | string): Promise<void>
  /** The time of the test, milliseconds since 1970. */
  readonly now: number
  close(): void
}

const firstOfJanuary = Date.UTC(2026, 0, 1)
const maxBodyBytes = 256 * 1024 ** 2
const maxKeys = 65_536

/**
 * Opens a configuration for tests: the path or URL of its file, or what `defineGateway` gives. Rejects with everything
 * that `velum check` would say when it is not good.
 */
export async function createTestGateway(
  config: string | URL | GatewayInput,
  options: TestGatewayOptions = {},
): Promise<TestGateway> {
  const clock = new ManualClock((options.now ?? new Date(firstOfJanuary)).getTime())
  const model = await modelOf(config, options)
  const services = new FakeServices(clock)
  const gateway = await openInProcess({
    model,
    clock,
    store: { stores: createMemoryStores(clock), secrets: ['a secret of tests, which protects nothing'] },
    createService: ({ name }) => services.compiled(name),
    recognise: (authenticators) => believingTests(authenticators, model),
    maxKeys,
  })
  await gateway.generation.ready
  return new InProcessTest(model, clock, services, gateway)
}

async function modelOf(config: string | URL | GatewayInput, { env, only }: TestGatewayOptions): Promise<GatewayModel> {
  const isFile = typeof config === 'string' || config instanceof URL
  const loaded = isFile
    ? await loadGateway(config instanceof URL ? fileURLToPath(config) : config, { only, ...(env === undefined ? {} : { env }) })
    : await checked(config)
  if (loaded.model !== undefined) return loaded.model
  const errors = loaded.findings.filter(({ severity }) => severity === 'error')
  throw new Error(`the configuration is not good:\n${formatFindings(errors, process.cwd())}`)
}

async function checked(input: GatewayInput): Promise<ReturnType<typeof checkGateway>> {
  const file = resolve('velum.config.ts')
  return checkGateway(
    input,
    { file },
    {
      descriptors: await loadDescriptors(input, file),
      policies: await loadPolicies(input, file),
    },
  )
}

class InProcessTest implements TestGateway {
  readonly #model: GatewayModel
  readonly #clock: ManualClock
  readonly #services: FakeServices
  readonly #gateway: InProcess

  constructor(model: GatewayModel, clock: ManualClock, services: FakeServices, gateway: InProcess) {
    this.#model = model
    this.#clock = clock
    this.#services = services
    this.#gateway = gateway
  }

  get now(): number {
    return this.#clock.now()
  }

  async request(method: string, url: string, request: TestRequest = {}): Promise<TestAnswer> {
    const { bytes, lines } = contentOf(request)
    const x = exchangeOf({ method, url, headers: lines, ...placeOf(request) }, this.#model, this.#clock)
    x.body = new BytesBody(bytes)
    if (request.as !== undefined) assume(x, request.as)
    const served = this.#gateway.generation.served(x.connection.listener)!
    const answer = await served.handle(x)
    let fault: Fault | undefined
    let content: Buffer = Buffer.alloc(0)
    try {
      content = await readAll(answer.body, maxBodyBytes)
    } catch (thrown) {
      fault = faultFrom(thrown)
    }
    served.done(x, {
      end: fault === undefined ? 'complete' : 'service-failed',
      status: answer.status,
      fault,
      receivedBytes: bytes.length,
      sentBytes: content.length,
      endedAt: this.#clock.monotonic(),
    })
    return new TestAnswer(x, answer, content)
  }

  async explain(method: string, url: string, request: TestRequest = {}): Promise<Explanation> {
    const { bytes, lines } = contentOf(request)
    const question = {
      method,
      url,
      headers: lines,
      ...(bytes.length === 0 ? {} : { body: bytes.toString() }),
      ...placeOf(request),
      ...(request.as === undefined ? {} : { caller: request.as }),
    }
    return completeExplanation(await this.#gateway.generation.explain!(question), question, this.#model, undefined)
  }

  service(name: string, fake: FakeService): void {
    if (!this.#model.services.some((service) => service.name === name))
      throw new Error(`no service is named ${JSON.stringify(name)}`)
    this.#services.set(name, fake)
  }

  calls(service?: string): readonly TestCall[] {
    return this.#services.calls.filter((call) => service === undefined || call.service === service)
  }

  async advance(time: number | string): Promise<void> {
    await settled()
    this.#clock.advance(typeof time === 'string' ? parseDuration(time) : time)
    await settled()
  }

  close(): void {
    this.#gateway.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}

function placeOf({ from, listener }: TestRequest): { address?: string; listener?: string } {
  return { ...(from === undefined ? {} : { address: from }), ...(listener === undefined ? {} : { listener }) }
}

/** With the lines that a client adds by itself. */
function contentOf({ headers = {}, body }: TestRequest): { bytes: Buffer; lines: [string, string][] } {
  const { bytes, type } = contentBytes(body)
  const lines = Object.entries(headers)
  const has = (wanted: string): boolean => lines.some(([name]) => name.toLowerCase() === wanted)
  if (type !== undefined && !has('content-type')) lines.push(['content-type', type])
  if (body !== undefined && !has('content-length')) lines.push(['content-length', String(bytes.length)])
  return { bytes, lines }
}

/** What was begun by now has been seen by all. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((done) => void setImmediate(done))
}
