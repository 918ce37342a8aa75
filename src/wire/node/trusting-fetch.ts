import { Agent, fetch } from 'undici'

/** Whom to trust, and by which name to know it. */
export interface FetchTrust {
  /** PEM: the authorities, or (`isPinned`) the very certificate, that the other side must come with. */
  readonly ca: string
  /** The name that its certificate must carry; default: the host of the URL. */
  readonly serverName?: string | undefined
  /** Whether what is trusted need not be an authority: the certificate itself, or one in the middle of its chain. */
  readonly isPinned?: boolean | undefined
}

/** A `fetch` that trusts these and nobody else, whatever the machine trusts; with its connections. */
export interface TrustingFetch {
  readonly fetch: typeof globalThis.fetch
  close(): Promise<void>
}

/** See `TrustingFetch`. */
export function createTrustingFetch({ ca, serverName, isPinned = false }: FetchTrust): TrustingFetch {
  const dispatcher = new Agent({
    connect: { ca, allowPartialTrustChain: isPinned, ...(serverName === undefined ? {} : { servername: serverName }) },
  })
  const trusting = (input: Parameters<typeof fetch>[0], init: Parameters<typeof fetch>[1] = {}): ReturnType<typeof fetch> =>
    fetch(input, { ...init, dispatcher })
  // The platform's fetch is undici's own; only the names of the types differ.
  return { fetch: trusting as unknown as typeof globalThis.fetch, close: () => dispatcher.close() }
}
