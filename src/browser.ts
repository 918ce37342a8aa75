/** How a client finds its gateway. */
export interface VelumClientOptions {
  /** Where the identity endpoints are. Default: `/auth`. */
  readonly path?: string | undefined
  /** Origins that the access token may be sent to. Default: the page's own. */
  readonly origins?: readonly string[] | undefined
}

/** Whether somebody is logged in, as far as this page knows. `unknown` until it was asked for the first time. */
export type LoginState = 'unknown' | 'in' | 'out'

/** A login, or keeping it up, did not work. */
export class VelumClientError extends Error {
  /** The status of the answer; 0 when there was none. */
  readonly status: number
  /** How long to wait before trying again, where the gateway said so. */
  readonly retryAfterSeconds: number | undefined

  constructor(message: string, status: number, retryAfterSeconds?: number) {
    super(message)
    this.name = 'VelumClientError'
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/**
 * A page's login at a Velum gateway. The access token is in memory only, the refresh token in a cookie that no script can
 * read; all tabs of an origin share one refresh, one login and one logout.
 */
export interface VelumClient {
  readonly state: LoginState
  /** Logs in by password. Rejects with a `VelumClientError`: 401 wrong, 429 locked (see `retryAfterSeconds`) … */
  login(username: string, password: string): Promise<void>
  /** An access token that is good for a while yet; undefined when nobody is logged in. Rejects when that cannot be told now. */
  accessToken(): Promise<string | undefined>
  /**
   * As `fetch`, with the access token where the address is one of `origins`. A 401 is answered by one refresh and one
   * more try.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** Ends the login at the gateway, and in all tabs. Rejects, changing nothing, when the gateway cannot be reached. */
  logout(): Promise<void>
  /** Calls `listener` when somebody is logged in or out, in whatever tab. Returns how to stop. */
  onChange(listener: (state: LoginState) => void): () => void
  /** Stops refreshing and listening. The login stays. */
  close(): void
}

interface Token {
  readonly text: string
  /** Milliseconds since 1970, by the clock of this machine. */
  readonly at: number
  readonly expiresAt: number
}

type TabMessage =
  | { readonly kind: 'token'; readonly token: Token }
  | { readonly kind: 'out'; readonly at: number }
  | { readonly kind: 'ask' }

/** Of the page; sources are checked without the types of browsers. */
declare const location: { readonly origin: string }

/** A token is not handed out when it ends sooner than this. */
const leastLifeMs = 20_000
/** How long a tab waits for another one's token. */
const askMs = 500
/** A failing gateway is asked again after this. */
const retryMs = 10_000
const longestTimerMs = 2 ** 31 - 1

/** Makes a page's client. One per page and gateway; everything it starts ends with `close`. */
export function createVelumClient(options: VelumClientOptions = {}): VelumClient {
  return new PageClient(options)
}

class PageClient implements VelumClient {
  readonly #path: string
  readonly #origins: readonly string[]
  readonly #name: string
  readonly #channel: BroadcastChannel | undefined
  readonly #listeners = new Set<(state: LoginState) => void>()
  #state: LoginState = 'unknown'
  #token: Token | undefined
  /** When a login ended last: what began before it does not count any more. */
  #outAt = 0
  #refreshing: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #heard: (() => void) | undefined
  #isClosed = false

  constructor({ path = '/auth', origins = [location.origin] }: VelumClientOptions) {
    this.#path = path
    this.#origins = origins
    this.#name = `velum ${path}`
    if (typeof BroadcastChannel === 'function') {
      this.#channel = new BroadcastChannel(this.#name)
      this.#channel.addEventListener('message', (event) => this.#hear((event as MessageEvent).data as TabMessage))
    }
  }

  get state(): LoginState {
    return this.#state
  }

  async login(username: string, password: string): Promise<void> {
    const at = Date.now()
    const response = await this.#post('login', { username, password, deliver: 'memory' })
    if (!response.ok) throw await errorFor(response)
    const token = await tokenFrom(response, at)
    this.#adopt(token)
    this.#say({ kind: 'token', token })
  }

  async accessToken(): Promise<string | undefined> {
    if (!this.#isFresh() && this.#state !== 'out') await this.#refresh()
    return this.#token?.text
  }

  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init)
    if (!this.#origins.includes(new URL(request.url).origin)) return fetch(request)
    const token = await this.accessToken()
    if (token === undefined) return fetch(request)
    const again = request.clone()
    const response = await fetch(withToken(request, token))
    if (response.status !== 401) return response
    // Another tab, or a timer, may have got a new one meanwhile.
    if (this.#token?.text === token) await this.#refresh()
    const next = this.#token?.text
    if (next === undefined || next === token) return response
    return fetch(withToken(again, next))
  }

  async logout(): Promise<void> {
    const response = await this.#post('logout')
    if (!response.ok) throw await errorFor(response)
    const at = Date.now()
    this.#leave(at)
    this.#say({ kind: 'out', at })
  }

  onChange(listener: (state: LoginState) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#channel?.close()
    this.#listeners.clear()
  }

  /** One refresh for whoever asks in this tab; over all tabs, one at a time, and none where a tab has just got a token. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#refreshInTurn().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #refreshInTurn(): Promise<void> {
    const before = this.#token
    const { locks } = navigator as Partial<Navigator>
    // Without locks two tabs may refresh at once: the gateway then gives both the same successor.
    if (locks === undefined) return this.#refreshNow()
    const asked = performance.now()
    await locks.request(this.#name, async () => {
      // Whoever had the lock before has a new token: its message may still be on its way.
      if (performance.now() - asked > 2 && this.#token === before) await this.#askTabs()
      if (this.#token !== before && (this.#isFresh() || this.#state === 'out')) return
      await this.#refreshNow()
    })
  }

  async #refreshNow(): Promise<void> {
    const at = Date.now()
    const response = await this.#post('refresh')
    // Somebody logged out while this was under way: whatever came of it is void.
    if (this.#outAt >= at) return
    if (response.status === 401) return this.#leave(at)
    if (!response.ok) throw await errorFor(response)
    const token = await tokenFrom(response, at)
    this.#adopt(token)
    this.#say({ kind: 'token', token })
  }

  #askTabs(): Promise<void> {
    if (this.#channel === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#heard = undefined
        resolve()
      }
      const timer = setTimeout(done, askMs)
      this.#heard = done
      this.#say({ kind: 'ask' })
    })
  }

  #hear(message: TabMessage): void {
    if (message.kind === 'ask') {
      if (this.#token !== undefined && this.#isFresh()) this.#say({ kind: 'token', token: this.#token })
    } else if (message.kind === 'out') this.#leave(message.at)
    else if (message.token.at > this.#outAt && message.token.at >= (this.#token?.at ?? 0)) {
      this.#adopt(message.token)
      this.#heard?.()
    }
  }

  #adopt(token: Token): void {
    this.#token = token
    this.#changeTo('in')
    // Before it ends; not in all tabs at the same moment.
    const lifeMs = token.expiresAt - token.at
    this.#later(lifeMs * (0.7 + Math.random() * 0.15) - (Date.now() - token.at))
  }

  #leave(at: number): void {
    if (this.#token !== undefined && this.#token.at > at) return
    this.#outAt = Math.max(this.#outAt, at)
    this.#token = undefined
    clearTimeout(this.#timer)
    this.#changeTo('out')
    this.#heard?.()
  }

  #later(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    this.#timer = setTimeout(
      () => {
        this.#refresh().catch(() => {
          if (this.#state === 'in') this.#later(retryMs)
        })
      },
      Math.min(longestTimerMs, Math.max(0, delayMs)),
    )
  }

  #isFresh(): boolean {
    if (this.#token === undefined) return false
    const { at, expiresAt } = this.#token
    // Of a token that lives only briefly, a quarter.
    return expiresAt - Date.now() > Math.min(leastLifeMs, (expiresAt - at) / 4)
  }

  #changeTo(state: LoginState): void {
    if (state === this.#state) return
    this.#state = state
    for (const listener of this.#listeners) listener(state)
  }

  #say(message: TabMessage): void {
    if (!this.#isClosed) this.#channel?.postMessage(message)
  }

  async #post(name: string, body?: unknown): Promise<Response> {
    const content = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    try {
      return await fetch(`${this.#path}/${name}`, { method: 'POST', credentials: 'same-origin', cache: 'no-store', ...content })
    } catch (thrown) {
      throw new VelumClientError(`the gateway cannot be reached: ${(thrown as Error).message}`, 0)
    }
  }
}

function withToken(request: Request, token: string): Request {
  const headers = new Headers(request.headers)
  headers.set('authorization', `Bearer ${token}`)
  return new Request(request, { headers })
}

async function tokenFrom(response: Response, at: number): Promise<Token> {
  const { access_token: text, expires_in: seconds } = (await response.json()) as { access_token: string; expires_in: number }
  return { text, at, expiresAt: at + seconds * 1000 }
}

async function errorFor(response: Response): Promise<VelumClientError> {
  let words = `the gateway answered ${response.status}`
  try {
    const { detail, title } = (await response.json()) as { detail?: string; title?: string }
    words = detail ?? title ?? words
  } catch {
    // No problem document: the status has to do.
  }
  const seconds = Number(response.headers.get('retry-after') ?? 'none')
  return new VelumClientError(words, response.status, Number.isFinite(seconds) ? seconds : undefined)
}
