import type { GatewayModel } from '../config/model.ts'
import type { RecordedRequest } from './recorded-request.ts'
import { readRecordedLine } from './recorded-request.ts'
import type { ReplayedOutcome } from './replay-stage.ts'
import { recordedOutcome, ReplayStage } from './replay-stage.ts'

/** One way in which a client is treated differently, and how often. */
export interface ReplayChange {
  readonly before: string
  readonly after: string
  /** Why, and where the rule stands in the configuration that refuses (the new one, else the old one). */
  readonly words: string
  readonly source: string | undefined
  readonly label: string | undefined
  readonly count: number
  /** The first of these requests. */
  readonly example: { readonly id: string; readonly method: string; readonly path: string; readonly at: number }
}

/** A client whose requests come out differently. */
export interface ReplayedClient {
  /** By the most particular that is known: `client …`, `subject …`, `address …`; with the tenant. */
  readonly client: string
  readonly requests: number
  readonly changed: number
  readonly changes: readonly ReplayChange[]
}

export interface ReplayReport {
  readonly requests: number
  /** Lines that are no line of an access log, and those of other things. */
  readonly broken: number
  readonly others: number
  /** Lines in a format of Apache, which do not tell what a decision needs. */
  readonly terse: number
  /** Requests whose outcome depends on what the log does not tell. */
  readonly unknown: number
  readonly changed: number
  readonly from: number
  readonly until: number
  /** Configurations that the log was written under, by their shortened hashes. */
  readonly generations: readonly string[]
  /** Those with the most changes first. */
  readonly clients: readonly ReplayedClient[]
}

/** Lines come at the end of requests and in batches: so many are put in the order of their beginnings. */
const reordered = 20_000
/** After such a silence every budget but a calendar quota's is whole: the configuration is opened anew. */
const longSilenceMs = 48 * 3_600_000
const mostClients = 100_000
const mostChangesEach = 20

/**
 * Replays recorded requests against a configuration, verdicts only, and compares with what was decided then; or, with
 * `old`, with what that configuration decides about the same requests. `lines` in the order of the log.
 */
export async function replayLog(
  lines: AsyncIterable<string>,
  now: GatewayModel,
  old: GatewayModel | undefined,
): Promise<ReplayReport> {
  const tally = new Tally()
  let stages: { readonly now: ReplayStage; readonly old: ReplayStage | undefined } | undefined
  let lastAt = 0
  const close = (): void => {
    stages?.now.close()
    stages?.old?.close()
    stages = undefined
  }
  try {
    for await (const request of inOrder(recordedOf(lines, tally))) {
      if (request.at - lastAt > longSilenceMs) close()
      lastAt = Math.max(lastAt, request.at)
      stages ??= {
        now: await ReplayStage.open(now, request.at),
        old: old === undefined ? undefined : await ReplayStage.open(old, request.at),
      }
      const before = stages.old === undefined ? recordedOutcome(request) : await stages.old.decide(request)
      tally.note(request, before, await stages.now.decide(request))
    }
  } finally {
    close()
  }
  return tally.report()
}

async function* recordedOf(lines: AsyncIterable<string>, tally: Tally): AsyncGenerator<RecordedRequest> {
  for await (const line of lines) {
    if (line === '') continue
    const read = readRecordedLine(line)
    if (read === 'broken') tally.broken++
    else if (read === 'other') tally.others++
    else if (read === 'terse') tally.terse++
    else yield read
  }
}

async function* inOrder(requests: AsyncIterable<RecordedRequest>): AsyncGenerator<RecordedRequest> {
  let waiting: RecordedRequest[] = []
  for await (const request of requests) {
    waiting.push(request)
    if (waiting.length < 2 * reordered) continue
    waiting.sort((a, b) => a.at - b.at)
    yield* waiting.slice(0, reordered)
    waiting = waiting.slice(reordered)
  }
  yield* waiting.sort((a, b) => a.at - b.at)
}

interface Counted {
  requests: number
  changed: number
  readonly changes: Map<string, { -readonly [K in keyof ReplayChange]: ReplayChange[K] }>
}

class Tally {
  broken = 0
  others = 0
  terse = 0
  #requests = 0
  #unknown = 0
  #changed = 0
  #from = Infinity
  #until = -Infinity
  readonly #generations = new Set<string>()
  readonly #clients = new Map<string, Counted>()

  note(request: RecordedRequest, before: ReplayedOutcome, after: ReplayedOutcome): void {
    this.#requests++
    this.#from = Math.min(this.#from, request.at)
    this.#until = Math.max(this.#until, request.at)
    if (this.#generations.size < 100) this.#generations.add(request.generation)
    const client = this.#clientOf(request)
    client.requests++
    if (before.kind === 'unknown' || after.kind === 'unknown') {
      this.#unknown++
      return
    }
    if (isSame(before, after)) return
    this.#changed++
    client.changed++
    const texts = { before: outcomeText(before), after: outcomeText(after) }
    const key = JSON.stringify(texts)
    const known = client.changes.get(key)
    if (known !== undefined) {
      known.count++
      return
    }
    if (client.changes.size >= mostChangesEach) return
    const decisive = after.kind === 'refused' ? after : before.kind === 'refused' ? before : after
    const { words, source, label } = decisive
    const { id, method, path, at } = request
    client.changes.set(key, { ...texts, words, source, label, count: 1, example: { id, method, path, at } })
  }

  report(): ReplayReport {
    const clients = [...this.#clients]
      .filter(([, { changed }]) => changed > 0)
      .map(([client, { requests, changed, changes }]): ReplayedClient => {
        return { client, requests, changed, changes: [...changes.values()].sort((a, b) => b.count - a.count) }
      })
      .sort((a, b) => b.changed - a.changed)
    const isEmpty = this.#requests === 0
    return {
      requests: this.#requests,
      broken: this.broken,
      others: this.others,
      terse: this.terse,
      unknown: this.#unknown,
      changed: this.#changed,
      from: isEmpty ? 0 : this.#from,
      until: isEmpty ? 0 : this.#until,
      generations: [...this.#generations].filter((hash) => hash !== ''),
      clients,
    }
  }

  #clientOf({ caller, address }: RecordedRequest): Counted {
    const tenant = caller?.tenant === undefined ? '' : `, tenant ${caller.tenant}`
    const name = caller === undefined ? `address ${address}` : `${callerName(caller)}${tenant}`
    let client = this.#clients.get(name)
    if (client === undefined) {
      const key = this.#clients.size < mostClients ? name : 'all others'
      client = this.#clients.get(key) ?? { requests: 0, changed: 0, changes: new Map() }
      this.#clients.set(key, client)
    }
    return client
  }
}

function callerName({ client, subject }: NonNullable<RecordedRequest['caller']>): string {
  return client === undefined || client === subject ? `subject ${subject}` : `subject ${subject}, client ${client}`
}

function isSame(before: ReplayedOutcome, after: ReplayedOutcome): boolean {
  if (before.kind !== after.kind) return false
  if (before.kind === 'refused') return before.policy === after.policy && before.code === after.code
  return before.kind === 'passes' ? before.route === after.route : before.status === after.status
}

function outcomeText({ kind, policy, code, label, route, status }: ReplayedOutcome): string {
  if (kind === 'refused') return `refused by ${policy ?? ''} (${code ?? ''}${label === undefined ? '' : `, ${label}`})`
  return kind === 'passes' ? `passes on ${route ?? ''}` : `answered with ${status}`
}
