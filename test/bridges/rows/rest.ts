import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { singleAnswer } from './grpc.ts'
import type { Row, RowEnv } from './row.ts'
import { CallEnded, brokenOr, openedBy } from './row.ts'

const forms = { lines: 'application/x-ndjson', events: 'text/event-stream', array: 'application/json' } as const

/** What HTTP says of a call that is no status of the service: the deadline of the route. */
const codeByStatus: Readonly<Record<number, number>> = { 504: 4 }

/** REST over HTTP/1.1, spoken by `node:http`: streams of answers as lines, events or an array. */
export function restRow({ url }: RowEnv, form: keyof typeof forms): Row {
  return {
    name: `REST, ${form}`,
    absent(kind, fate) {
      if (kind === 'Both') return 'no answer of HTTP/1.1 begins while its request goes on: refused with 501'
      if (form !== 'lines' && kind !== 'Out') return 'one answer is JSON, whatever the form of streams'
      return singleAnswer(kind, fate)
    },
    ending(kind, fate) {
      // A stream is bounded by the deadline of its route, which stands outside of the bridge.
      if (kind === 'Out' && fate === 'deadline') return 'broken'
      // The service has begun its answer before it refuses, and an array has no place for a status.
      return form === 'array' && (fate === 'break' || fate === 'refuse') ? 'broken' : undefined
    },
    open({ kind, asks, isComplete, isShort }) {
      const path = `${isShort ? '/late' : ''}/v1/${kind.toLowerCase()}`
      const headers = { 'content-type': kind === 'In' ? 'application/x-ndjson' : 'application/json', accept: forms[form] }
      const asking = request(`${url}${path}`, { method: 'POST', headers, agent: false })
      asking.on('error', () => {})
      for (const ask of asks) asking.write(`${JSON.stringify(ask)}\n`)
      if (isComplete || kind !== 'In') asking.end()
      const answer = new Promise<IncomingMessage>((resolve, reject) => {
        asking.on('response', resolve)
        asking.on('close', () => reject(new CallEnded('broken')))
      })
      answer.catch(() => {})
      return openedBy(texts(answer, kind === 'Out' ? form : 'whole'), brokenOr, () => asking.destroy())
    },
  }
}

async function* texts(answer: Promise<IncomingMessage>, form: keyof typeof forms | 'whole'): AsyncGenerator<string> {
  const response = await answer
  const { statusCode = 0 } = response
  response.setEncoding('utf8')
  if (form === 'whole' || statusCode !== 200) {
    let content = ''
    for await (const chunk of response) content += chunk as string
    const { code = codeByStatus[statusCode], text = '' } = JSON.parse(content) as { code?: number; text?: string }
    if (statusCode !== 200) throw new CallEnded(code ?? 'broken')
    yield text
    return
  }
  let rest = ''
  for await (const chunk of response) {
    rest += chunk as string
    for (let piece = next(rest, form); piece !== undefined; piece = next(rest, form)) {
      rest = rest.slice(piece.length)
      if (piece.text === 'end') return
      const { $status, code, text = '' } = JSON.parse(piece.text) as { $status?: { code: number }; code?: number; text?: string }
      if ($status !== undefined || code !== undefined) throw new CallEnded($status?.code ?? code!)
      yield text
    }
  }
  if (form === 'events' || (form === 'array' && rest !== ']')) throw new CallEnded('broken')
}

const pieces = {
  lines: /^(.*)\n/,
  events: /^(?:event: (?:error|(end))\n)?data: (.*)\n\n/,
  array: /^(?:\[|,\n)(\{[^{}]*\})/,
} as const

/** The next whole piece of a stream, and how long it is. */
function next(rest: string, form: keyof typeof forms): { readonly text: string; readonly length: number } | undefined {
  const found = pieces[form].exec(rest)
  return found === null ? undefined : { text: found[1] ?? found[2], length: found[0].length }
}
