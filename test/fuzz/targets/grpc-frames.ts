import assert from 'node:assert/strict'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { streamAnswer } from '../../../src/bridges/connect/answer.ts'
import { webAnswer } from '../../../src/bridges/grpc-web/answer.ts'
import { FrameSource } from '../../../src/bridges/grpc/frame-source.ts'
import { framed } from '../../../src/bridges/grpc/frames.ts'
import { GrpcAnswer } from '../../../src/bridges/grpc/grpc-call.ts'
import type { GrpcCallEnv } from '../../../src/bridges/grpc/grpc-call.ts'
import { Answer } from '../../../src/core/answer.ts'
import { readAll } from '../../../src/core/body.ts'
import { Headers } from '../../../src/core/headers.ts'
import { exchangeOf } from '../../support/exchange.ts'
import { defineTarget } from '../fuzz-target.ts'
import { cutFractions, cutsOf, spoiltBytes } from '../spoilt.ts'
import { messageTexts } from './bridge-streams.ts'
import type { Reading } from './pieces.ts'
import { Pieces, maxBytes, readingOf } from './pieces.ts'
import { registry } from './shelf.ts'

/** What all bytes at once are: frames, the place behind each, and what is left of one. */
interface Framed {
  readonly frames: { readonly flag: number; readonly content: Buffer; readonly end: number }[]
  readonly isWhole: boolean
  readonly isTooLarge: boolean
}

function framesOf(bytes: Buffer, most = Infinity): Framed {
  const frames: Framed['frames'] = []
  let at = 0
  while (bytes.length - at >= 5) {
    const length = bytes.readUInt32BE(at + 1)
    if (length > most) return { frames, isWhole: false, isTooLarge: true }
    if (bytes.length - at < 5 + length) break
    frames.push({ flag: bytes[at], content: bytes.subarray(at + 5, at + 5 + length), end: at + 5 + length })
    at += 5 + length
  }
  return { frames, isWhole: at === bytes.length, isTooLarge: false }
}

/** What a caller of gRPC-Web or Connect has sent, by what all of it is. */
function expectedOf(bytes: Buffer, isGzip: boolean): Reading {
  const { frames, isWhole, isTooLarge } = framesOf(bytes, maxBytes)
  const messages: string[] = []
  for (const { flag, content } of frames) {
    if (flag === 0) messages.push(content.toString('latin1'))
    else if (flag !== 1 || !isGzip) return { messages, fault: 'malformed' }
    else {
      try {
        messages.push(gunzipSync(content, { maxOutputLength: maxBytes }).toString('latin1'))
      } catch (error) {
        const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        return { messages, fault: isLarge ? 'body-too-large' : 'malformed' }
      }
    }
  }
  return { messages, fault: isTooLarge ? 'body-too-large' : isWhole ? undefined : 'malformed' }
}

const gzipped = (text: string): Buffer => framed(gzipSync(text), 1)
const streams = [
  framed(Buffer.from('hello')),
  Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.from('a')), framed(Buffer.from('bc'))]),
  Buffer.concat([gzipped('a'), framed(Buffer.from('plain')), gzipped('')]),
  gzipped('x'.repeat(maxBytes)),
  gzipped('x'.repeat(maxBytes + 1)),
  gzipped('x'.repeat(100_000)),
  framed(Buffer.alloc(maxBytes)),
  framed(Buffer.alloc(maxBytes + 1)),
  framed(Buffer.from('{}'), 2),
  framed(Buffer.from('grpc-status: 0\r\n'), 0x80),
]
const frameWords = [
  '\0\0\0\0\0',
  '\0\0\0\0\x01',
  '\x01\0\0\0\0',
  '\0\xff\xff\xff\xff',
  '\0\0\0\0\x31',
  '\x80',
  '\x02',
  '\0',
  '\x1f\x8b',
]
const streamBytes = fc.oneof(
  spoiltBytes(streams, frameWords),
  fc.array(fc.constantFrom(...streams), { maxLength: 4 }).map((parts) => Buffer.concat(parts)),
)

const callers = defineTarget({
  name: 'frames of gRPC callers',
  promise: 'the messages and the end that they are as a whole, wherever they are cut; no more is kept than one message',
  cases: fc.record({ bytes: streamBytes, cuts: cutFractions, isGzip: fc.boolean() }),
  fewCases: 500,
  async check({ bytes, cuts, isGzip }) {
    const { frames } = framesOf(bytes)
    const body = new Pieces(bytes, cutsOf(cuts, bytes.length))
    let taken = 0
    body.asked = () => {
      const left = body.given - (taken === 0 ? 0 : frames[taken - 1].end)
      assert.ok(left < 5 + maxBytes, `${left} bytes are kept, and more is asked for`)
    }
    const reading = await readingOf(new FrameSource(body, maxBytes, isGzip), () => taken++)
    assert.deepEqual(reading, expectedOf(bytes, isGzip))
    for (const message of reading.messages) assert.ok(message.length <= maxBytes)
  },
})

const statusTexts = ['0', '5', '16', '17', '', '00', '+5', '5 ', '1e1', '999', 'x']
const asValue = (text: string): string => text.replace(/[^ -~]/g, '').trim()

/** What a service answers: frames, and trailers in any state. */
const answers = fc.record({
  bytes: streamBytes,
  cuts: cutFractions,
  encoding: fc.constantFrom('gzip', 'gzip', 'identity', undefined),
  status: fc.option(fc.constantFrom(...statusTexts), { nil: undefined }),
  message: messageTexts.map(asValue),
  details: fc.constantFrom(undefined, 'CAUSAWE=', 'CAU', '!!!', ''),
})
type Answered = typeof answers extends fc.Arbitrary<infer T> ? T : never

function answerOf({ bytes, encoding, status, message, details }: Answered, cuts: readonly number[]): GrpcAnswer {
  const said = ['x-more', 'a', 'X-More', 'b', 'grpc-message', message]
  if (status !== undefined) said.push('grpc-status', status)
  if (details !== undefined) said.push('grpc-status-details-bin', details)
  const head = ['content-type', 'application/grpc', ...(encoding === undefined ? [] : ['grpc-encoding', encoding])]
  const answer = new Answer(200, Headers.received(head), new Pieces(bytes, cuts, Headers.received(said)))
  // Nothing is asked of clock and sweeper where there is no deadline.
  return new GrpcAnswer(answer, exchangeOf(), Infinity, { maxMessageBytes: maxBytes } as unknown as GrpcCallEnv)
}

const services = defineTarget({
  name: 'frames of gRPC services',
  promise: 'the messages and the status that they are as a whole, wherever they are cut; nothing is thrown',
  cases: answers,
  fewCases: 500,
  async check(answered) {
    const { bytes, cuts, encoding, status } = answered
    const [whole, cut] = [answerOf(answered, []), answerOf(answered, cutsOf(cuts, bytes.length))]
    const [first, second] = [await readingOf(whole), await readingOf(cut)]
    assert.deepEqual(second, first)
    assert.equal(first.fault, undefined)
    assert.deepEqual({ ...cut.status, fault: cut.status!.fault?.code }, { ...whole.status, fault: whole.status!.fault?.code })
    const expected = expectedOf(bytes, encoding === 'gzip')
    assert.deepEqual(first.messages, expected.messages)
    const isRead = status !== undefined && /^\d{1,3}$/.test(status)
    if (expected.fault !== undefined && isRead) assert.notEqual(whole.status!.code, 0)
    else if (isRead) assert.equal(whole.status!.code, Number(status) > 16 ? 2 : Number(status))
    else assert.ok(whole.status!.fault?.code === 'service-nonsense')
  },
})

const written = defineTarget({
  name: 'answers of gRPC-Web and Connect',
  promise: 'the messages in frames, and one frame at the end that says the status and holds no line of anybody else',
  cases: fc.record({ answered: answers, isText: fc.boolean() }),
  fewCases: 300,
  async check({ answered, isText }) {
    const cuts = cutsOf(answered.cuts, answered.bytes.length)
    const plain = answerOf(answered, cuts)
    const { messages } = await readingOf(plain)
    const { code, message, details } = plain.status!

    const web = webAnswer(answerOf(answered, cuts), { type: 'application/grpc-web', isText })
    const sent = await readAll(web.body, 1e6)
    const bytes = isText ? Buffer.concat((sent.toString().match(/.{4}/g) ?? []).map((group) => Buffer.from(group, 'base64'))) : sent
    const { frames, isWhole } = framesOf(bytes)
    assert.ok(isWhole)
    const last = frames.pop()!
    assert.deepEqual(
      frames.map(({ flag, content }) => `${flag}${content.toString('latin1')}`),
      messages.map((text) => `0${text}`),
    )
    assert.equal(last.flag, 0x80)
    const lines = last.content.toString('latin1').split('\r\n')
    assert.equal(lines.pop(), '')
    const values = new Map<string, string>()
    for (const line of lines) {
      const parts = /^([a-z-]+): ([ -~]*)$/.exec(line)
      assert.ok(parts !== null, line)
      values.set(parts[1], parts[2])
    }
    assert.equal(values.get('grpc-status'), String(code))
    assert.equal(decodeURIComponent(values.get('grpc-message') ?? ''), message.toWellFormed())
    assert.equal(values.get('grpc-status-details-bin'), details?.toString('base64'))
    assert.deepEqual(
      [...values.keys()].filter((name) => !name.startsWith('grpc-')),
      plain.trailers.has('x-more') ? ['x-more'] : [],
    )

    const form = { type: 'application/connect+proto', isStream: true, isJson: false, isGet: false }
    const connect = streamAnswer(answerOf(answered, cuts), form, (bytesOf) => bytesOf, registry)
    const connectFrames = framesOf(await readAll(connect.body, 1e6))
    assert.ok(connectFrames.isWhole)
    const end = connectFrames.frames.pop()!
    assert.deepEqual(
      connectFrames.frames.map(({ content }) => content.toString('latin1')),
      messages,
    )
    assert.equal(end.flag, 2)
    const { error, metadata } = JSON.parse(end.content.toString()) as {
      error?: { readonly code: string; readonly message?: string }
      metadata?: unknown
    }
    assert.equal(error === undefined, code === 0)
    if (error !== undefined) assert.equal(error.message ?? '', message)
    assert.deepEqual(metadata, plain.trailers.has('x-more') ? { 'x-more': ['a', 'b'] } : undefined)
  },
})

export const grpcFrameTargets = [callers, services, written]
