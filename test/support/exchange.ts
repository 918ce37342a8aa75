import type { Body } from '../../src/core/body.ts'
import { emptyBody } from '../../src/core/body.ts'
import type { Connection, TlsFacts } from '../../src/core/exchange.ts'
import { Exchange } from '../../src/core/exchange.ts'
import { Headers } from '../../src/core/headers.ts'

export interface ExchangeParts {
  readonly method?: string
  readonly target?: string
  /** Name, value, name, value … as received. */
  readonly headers?: readonly string[]
  readonly body?: Body
  readonly authority?: string
  readonly remoteAddress?: string
  /** Default: test. */
  readonly listener?: string
  readonly tls?: TlsFacts
  readonly upgrade?: string
  readonly startedAt?: number
  readonly startedMono?: number
}

/** Interim answers that were sent on an exchange made by `exchangeOf`. */
export interface Informed {
  readonly status: number
  readonly headers: Headers
}

/** An Exchange as a wire would make it, with its path read in the plainest way. */
export function exchangeOf(parts: ExchangeParts = {}, informed: Informed[] = []): Exchange {
  const connection: Connection = {
    listener: parts.listener ?? 'test',
    remoteAddress: parts.remoteAddress ?? '192.0.2.1',
    remotePort: 40000,
    localPort: 8080,
    tls: parts.tls,
  }
  const target = parts.target ?? '/'
  const x = new Exchange({
    method: parts.method ?? 'GET',
    target,
    headers: Headers.received(parts.headers ?? []),
    version: '1.1',
    authority: parts.authority ?? 'api.example.com',
    upgrade: parts.upgrade,
    connection,
    link: { inform: (status, headers) => void informed.push({ status, headers }) },
    body: parts.body ?? emptyBody,
    startedAt: parts.startedAt ?? 1_700_000_000_000,
    startedMono: parts.startedMono ?? 0,
  })
  const [path, query] = target.split('?', 2)
  x.path = path
  x.query = query
  x.id = 'test-1'
  return x
}
