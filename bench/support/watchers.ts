import { setTimeout as delay } from 'node:timers/promises'

/** How often Prometheus comes by. */
export const scrapeSeconds = 5
/** The dashboard's own pace: how often it reads its overview, and how many requests it lists before it follows them. */
const overviewMs = 2000
const mostListed = 300
const visits = 40
const prometheusAccepts = 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1'

/** What those who watched were told. */
export interface Seen {
  scrapes: number
  scrapedBytes: number
  overviews: number
  overviewBytes: number
  streamedBytes: number
}

/** As many scrapes and overviews as a gateway has seen that is in service for minutes: the first few cost more. */
export async function visitOften(origin: string, token: string): Promise<void> {
  for (let i = 0; i < visits; i++) {
    for (const [path, accept] of [
      ['/metrics', prometheusAccepts],
      ['/api/overview', 'application/json'],
    ]) {
      const response = await fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${token}`, accept } })
      if (!response.ok) throw new Error(`${path} answered ${response.status}`)
      await response.arrayBuffer()
    }
  }
}

/**
 * Has Prometheus come by and a dashboard open in two windows, its overview and its requests, as `dashboard/` asks for them.
 * Gives how to make them leave, which rejects with what went wrong meanwhile.
 */
export function watch(origin: string, token: string, seen: Seen): () => Promise<void> {
  const leaving = new AbortController()
  const { signal } = leaving
  const ask = async (path: string, accept: string): Promise<Response> => {
    const response = await fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${token}`, accept }, signal })
    if (!response.ok) throw new Error(`${path} answered ${response.status}`)
    return response
  }
  const read = async (path: string, accept = 'application/json'): Promise<number> =>
    (await (await ask(path, accept)).arrayBuffer()).byteLength
  const scrape = async (): Promise<void> => {
    // Away from the edges of a round.
    for (let waitMs = 500; ; waitMs = scrapeSeconds * 1000) {
      await delay(waitMs, undefined, { signal })
      seen.scrapedBytes += await read('/metrics', prometheusAccepts)
      seen.scrapes++
    }
  }
  const overview = async (): Promise<void> => {
    for (;;) {
      seen.overviewBytes += await read('/api/overview')
      seen.overviews++
      await delay(overviewMs, undefined, { signal })
    }
  }
  const requests = async (): Promise<void> => {
    await read(`/api/requests?limit=${mostListed}`)
    const { body } = await ask('/api/requests', 'text/event-stream')
    for await (const chunk of body!) seen.streamedBytes += chunk.length
    throw new Error('the stream of requests ended')
  }
  const all = [scrape(), overview(), requests()].map((one) =>
    one.catch((thrown: unknown) => {
      if (!signal.aborted) throw thrown
    }),
  )
  return async () => {
    leaving.abort()
    await Promise.all(all)
  }
}
