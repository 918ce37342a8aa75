import type { GatewayModel, ListenerModel } from '../config/model.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { emptyBody, StreamBody, textBody } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { Exchange } from '../core/exchange.ts'
import type { TlsFacts } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { canonicalAddress } from '../lib/address.ts'
import type { ExplainQuestion } from './explanation.ts'
import { QuestionError } from './explanation.ts'

const urlPattern = /^(?:(https?):\/\/([^/?#\\\s@]+))?(\/[^#\s]*|\?[^#\s]*)?$/i
const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** The exchange of a question, as a wire would have made it of the request. Throws QuestionError. */
export function exchangeOf(question: ExplainQuestion, model: GatewayModel, clock: Clock): Exchange {
  const { method } = question
  if (!tokenPattern.test(method)) throw new QuestionError(`${JSON.stringify(method)} is no method`)
  const url = urlPattern.exec(question.url)
  if (url === null || question.url === '') {
    throw new QuestionError(`${JSON.stringify(question.url)} is no URL: write https://host/path, or /path`)
  }
  const [, scheme, host, rest = '/'] = url
  const listener = listenerOf(question, model, scheme?.toLowerCase(), host)
  const headers = headersOf(question)
  const named = headers.all('host')
  if (named.length > 1) throw new QuestionError('a request has one host')
  const authority = (named[0] ?? host ?? `localhost:${listener.port}`).toLowerCase()
  const address = canonicalAddress(question.address ?? '127.0.0.1')
  if (address === undefined) throw new QuestionError(`${JSON.stringify(question.address)} is no address`)
  return new Exchange({
    method,
    target: rest.startsWith('/') ? rest : `/${rest}`,
    headers,
    version: '1.1',
    authority,
    upgrade: headers.get('upgrade'),
    connection: {
      listener: listener.name,
      remoteAddress: address,
      remotePort: 0,
      localPort: listener.port,
      tls: listener.tls === undefined ? undefined : tlsOf(host ?? authority),
    },
    link: { inform() {} },
    body: bodyOf(question, headers),
    startedAt: clock.now(),
    startedMono: clock.monotonic(),
  })
}

function tlsOf(host: string): TlsFacts {
  const name = host.replace(/:\d*$/, '').toLowerCase()
  const serverName = name.startsWith('[') || /^[\d.]+$/.test(name) ? undefined : name
  return { protocol: 'TLSv1.3', cipher: '', serverName, clientCertificate: () => undefined }
}

/** By its name, by port and scheme of the URL, or the first that is no redirect. */
function listenerOf(
  question: ExplainQuestion,
  model: GatewayModel,
  scheme: string | undefined,
  host: string | undefined,
): ListenerModel {
  const { listeners } = model
  if (question.listener !== undefined) {
    const named = listeners.find(({ name }) => name === question.listener)
    if (named !== undefined) return named
    throw new QuestionError(`no listener is named ${JSON.stringify(question.listener)}: there is ${namesOf(listeners)}`)
  }
  const port = host === undefined ? undefined : (/:(\d+)$/.exec(host)?.[1] ?? (scheme === 'https' ? '443' : '80'))
  const fits = listeners.filter(({ tls }) => scheme === undefined || (tls !== undefined) === (scheme === 'https'))
  const chosen =
    fits.find((each) => port !== undefined && each.port === Number(port)) ??
    fits.find(({ redirectPort }) => redirectPort === undefined) ??
    fits[0]
  if (chosen !== undefined) return chosen
  throw new QuestionError(`no listener speaks ${scheme}: there is ${namesOf(listeners)}`)
}

function namesOf(listeners: readonly ListenerModel[]): string {
  return listeners.map(({ name, tls, port }) => `${name} (${tls === undefined ? 'http' : 'https'}, port ${port})`).join(', ')
}

function headersOf({ headers }: ExplainQuestion): Headers {
  try {
    Headers.from(headers)
  } catch (thrown) {
    throw new QuestionError((thrown as Error).message)
  }
  // As received ones, which is what policies look for.
  return Headers.received(headers.flat())
}

function bodyOf({ body }: ExplainQuestion, headers: Headers): Body {
  if (body !== undefined) return textBody(body)
  const length = headers.get('content-length')
  if (length !== undefined) {
    if (!/^\d{1,15}$/.test(length)) throw new QuestionError(`${JSON.stringify(length)} is no content-length`)
    return length === '0' ? emptyBody : new UntoldBody(Number(length))
  }
  return headers.has('transfer-encoding') ? new UntoldBody(undefined) : emptyBody
}

/** A body of which nothing but, perhaps, its length was told. */
export class UntoldBody extends StreamBody {
  /** Whether somebody wanted to read it. */
  isAsked = false

  trailers(): undefined {
    return undefined
  }

  protected read(): Chunk | End {
    this.isAsked = true
    throw new Fault('cancelled', 'the content of the request was not told')
  }

  protected stop(): void {}
}
