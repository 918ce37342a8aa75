// All the page asks for goes to its own origin: the browser adds the cookie that no script can read, and this module the
// proof that goes with it.

const proofKey = 'velum-proof'

/** What the admin API refused, in its own words. */
export class ApiError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
  }
}

interface Problem {
  readonly title?: string
  readonly detail?: string
}

let signedOut: () => void = () => {}

/** Who wants to know that the browser is not signed in any more. */
export function whenSignedOut(run: () => void): void {
  signedOut = run
}

/** Whether this browser was signed in, as far as the page knows. */
export function hasProof(): boolean {
  return localStorage.getItem(proofKey) !== null
}

/** Exchanges the admin token for a session of this browser. Throws an ApiError. */
export async function signIn(token: string): Promise<void> {
  const response = await fetch('/api/dashboard/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  })
  if (!response.ok) throw await errorOf(response)
  const { proof } = (await response.json()) as { proof: string }
  localStorage.setItem(proofKey, proof)
}

/** Ends the session of this browser. */
export async function signOut(): Promise<void> {
  await call('DELETE', '/api/dashboard/session').catch(() => {})
  forget()
}

/** Reads a document. Throws an ApiError, or what `fetch` throws where nothing answers. */
export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call('GET', path, undefined, signal) as Promise<T>
}

/** Does something; gives what was answered, undefined for no content. */
export async function call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
  const response = await ask(method, path, body, signal)
  return response.status === 204 ? undefined : response.json()
}

/** Follows a stream of server-sent events until the signal ends it. Rejects when it breaks. */
export async function follow(path: string, signal: AbortSignal, received: (event: string, value: unknown) => void): Promise<void> {
  const response = await ask('GET', path, undefined, signal, 'text/event-stream')
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) throw new Error('The stream ended.')
    text += value
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      readEvent(text.slice(0, end), received)
      text = text.slice(end + 2)
    }
  }
}

function readEvent(text: string, received: (event: string, value: unknown) => void): void {
  let event = 'message'
  let body = ''
  for (const line of text.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim()
    else if (line.startsWith('data:')) body += line.slice(5)
  }
  if (body !== '') received(event, JSON.parse(body))
}

async function ask(
  method: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
  accept = 'application/json',
): Promise<Response> {
  const response = await fetch(path, {
    method,
    headers: {
      accept,
      'x-velum-proof': localStorage.getItem(proofKey) ?? '',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
  if (response.status === 401) forget()
  if (!response.ok) throw await errorOf(response)
  return response
}

function forget(): void {
  localStorage.removeItem(proofKey)
  signedOut()
}

async function errorOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Problem
  return new ApiError(response.status, problem.detail ?? problem.title ?? `The gateway answered ${response.status}.`)
}
