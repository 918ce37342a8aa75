import { headerLine } from '../admin/explain-endpoints.ts'
import type { RequestDocument } from '../admin/request-endpoints.ts'
import type { GatewayModel } from '../config/model.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import { explainOffline } from '../gateway/explain-offline.ts'
import type { AssumedCaller, ExplainQuestion, Explanation } from '../gateway/explanation.ts'
import { QuestionError } from '../gateway/explanation.ts'
import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, textOption, textsOption, UsageError } from './command.ts'
import { explanationText, requestText } from './explain-text.ts'
import { loadModel } from './load-model.ts'
import { findRunning } from './running-gateway.ts'

export const explainCommand: Command = {
  usage: "METHOD URL [-H 'name: value']... [--subject S] | --request ID | --pass   (such as GET /orders/17 --subject ada)",
  options: {
    config: configOption,
    only: onlyOption,
    header: {
      type: 'string',
      short: 'H',
      multiple: true,
      value: 'LINE',
      help: 'A header of the request: "name: value". May be repeated.',
    },
    data: { type: 'string', short: 'd', value: 'TEXT', help: 'The content of the request, for policies that judge it.' },
    from: { type: 'string', value: 'ADDRESS', help: 'Where the request comes from. Default: 127.0.0.1.' },
    listener: { type: 'string', value: 'NAME', help: 'The listener that it comes by. Default: the one that the URL leads to.' },
    subject: { type: 'string', short: 's', value: 'NAME', help: 'Who calls; a credential is then taken for granted.' },
    tenant: { type: 'string', value: 'NAME', help: 'The tenant of the subject.' },
    scopes: { type: 'string', value: 'A,B', help: 'The scopes of the subject. Default: those of its roles.' },
    roles: { type: 'string', value: 'A,B', help: 'The roles of the subject.' },
    kind: {
      type: 'string',
      value: 'KIND',
      help: 'The kind of credential of the subject. Default: the first that the route takes.',
    },
    issuer: {
      type: 'string',
      value: 'URL',
      help: "Who vouches for the subject. Default: the gateway's own issuer, or the first trusted one.",
    },
    request: {
      type: 'string',
      value: 'ID',
      help: 'Say what was decided about a request that was, by the id of its answer (x-request-id).',
    },
    pass: {
      type: 'boolean',
      help: 'Print a header line, good for ten minutes, with which a request is kept whole and answered with its verdicts.',
    },
    offline: { type: 'boolean', help: 'Go by the configuration alone, also while a gateway runs with it.' },
    json: jsonOption,
  },
  maxPositionals: 2,
  async run(args, io) {
    const { request, pass } = args.options
    if (typeof request === 'string' || pass === true) return askRunning(args, io)
    const question = questionOf(args)
    const loaded = await loadModel(args, io)
    if (loaded === undefined) return exitCode.input
    const told = await explain(loaded.model, question, args, io)
    io.out(args.options['json'] === true ? `${JSON.stringify(told, undefined, 2)}\n` : explanationText(told))
    return exitCode.done
  },
}

/** What only a running gateway can tell. */
async function askRunning(args: Arguments, io: Io): Promise<number> {
  if (args.positionals.length > 0) throw new UsageError('--request and --pass take no method and no URL')
  const loaded = await loadModel(args, io)
  if (loaded === undefined) return exitCode.input
  const call = await findRunning(loaded.model, io)
  if (call === undefined) throw new EnvironmentFault('no gateway runs with this configuration, or it has no admin API')
  const isJson = args.options['json'] === true
  const id = textOption(args, 'request')
  if (id === undefined) {
    const made = await call<{ header: string; value: string; until: string }>('POST', '/api/explain/passes')
    io.out(isJson ? `${JSON.stringify(made, undefined, 2)}\n` : `${made.header}: ${made.value}\n`)
  } else {
    const kept = await call<RequestDocument>('GET', `/api/requests/${encodeURIComponent(id)}`)
    io.out(isJson ? `${JSON.stringify(kept, undefined, 2)}\n` : requestText(kept))
  }
  return exitCode.done
}

async function explain(model: GatewayModel, question: ExplainQuestion, args: Arguments, io: Io): Promise<Explanation> {
  const call = args.options['offline'] === true ? undefined : await findRunning(model, io)
  if (call === undefined) return explainOffline(model, question)
  const told = await call<Explanation>('POST', '/api/explain', question)
  if (told.generation === model.hash) return told
  const note = 'The running gateway serves another configuration than this file: reload it, or ask with --offline.'
  return { ...told, notes: [note, ...told.notes] }
}

function questionOf(args: Arguments): ExplainQuestion {
  const [method, url] = args.positionals
  if (method === undefined || url === undefined) throw new UsageError('say what is asked: velum explain GET /orders/17')
  const body = textOption(args, 'data')
  const listener = textOption(args, 'listener')
  const address = textOption(args, 'from')
  const caller = callerOf(args)
  return {
    method: method.toUpperCase(),
    url,
    headers: textsOption(args, 'header').map(lineOf),
    ...(body === undefined ? {} : { body }),
    ...(listener === undefined ? {} : { listener }),
    ...(address === undefined ? {} : { address }),
    ...(caller === undefined ? {} : { caller }),
  }
}

function lineOf(text: string): [string, string] {
  try {
    return headerLine(text)
  } catch (thrown) {
    if (thrown instanceof QuestionError) throw new UsageError(`--header: ${thrown.message}`)
    throw thrown
  }
}

const ofSubject = ['tenant', 'kind', 'issuer', 'scopes', 'roles'] as const

function callerOf(args: Arguments): AssumedCaller | undefined {
  const subject = textOption(args, 'subject')
  if (subject === undefined) {
    const lonely = ofSubject.find((name) => textOption(args, name) !== undefined)
    if (lonely !== undefined) throw new UsageError(`--${lonely} says something of --subject, which is missing`)
    return undefined
  }
  const given = ofSubject.flatMap((name): [string, string | string[]][] => {
    const text = textOption(args, name)
    if (text === undefined) return []
    return [[name, name === 'scopes' || name === 'roles' ? text.split(/[,\s]+/).filter((one) => one !== '') : text]]
  })
  return { subject, ...Object.fromEntries(given) }
}
