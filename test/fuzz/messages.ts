import {
  acceptedCases,
  chunkCases,
  framingCases,
  headerLineCases,
  requestLineCases,
  smugglingCases,
} from '../security/http1-cases.ts'

/** Random numbers from a seed, so that a finding can be had again. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 up to, not including, `below` (mulberry32). */
  roll(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }

  pick<T>(from: readonly T[]): T {
    return from[this.roll(from.length)]
  }
}

const host = 'Host: a\r\n'
const ownSeeds = [
  `POST /1 HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
  `POST /2 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  `POST /3 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n`,
  `GET /4?a=b HTTP/1.1\r\n${host}User-Agent: x\r\nAccept: */*\r\n\r\n`,
  `GET /5 HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\n`,
  `PUT /6 HTTP/1.1\r\n${host}Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n`,
  `GET http://a/7 HTTP/1.1\r\n${host}\r\n`,
  `OPTIONS /8 HTTP/1.1\r\n${host}Origin: null\r\n\r\n`,
  `GET /9 HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
]
const seeds = [
  ...ownSeeds,
  ...[requestLineCases, headerLineCases, framingCases, chunkCases, acceptedCases, smugglingCases]
    .flat()
    .map(({ bytes }) => bytes)
    .filter((bytes) => bytes.length < 1000),
]

const nastyBytes = '\0\t\n\v\f\r "#\'(),/:;<=>?@[\\]_`{|}~+-.0123456789aAfFxX\x7f\x80\x85\xa0\xff'.split('')
const nastyTexts = [
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'content-length:7\r\n',
  'Content-Length : 3\r\n',
  'Content-Length: 3, 3\r\n',
  'Content-Length: +3\r\n',
  'Content-Length: 03\r\n',
  'Content-Length:\t3\t\r\n',
  'Transfer-Encoding: chunked\r\n',
  'transfer-encoding:chunked\r\n',
  'Transfer-Encoding: Chunked \r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: chunked, gzip\r\n',
  'Transfer-Encoding:\r\n chunked\r\n',
  'Transfer-Encoding: "chunked"\r\n',
  'Transfer-Encoding: \x0bchunked\r\n',
  'Host: b\r\n',
  'Host:a:80\r\n',
  'host: \r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'Connection: upgrade\r\nUpgrade: websocket\r\n',
  'Connection: Transfer-Encoding\r\n',
  'Connection: Content-Length\r\n',
  'Expect: 100-continue\r\n',
  'X: y\r\n z\r\n',
  'X\r\n',
  ': x\r\n',
  ' X: y\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  '\r\r\n',
  '\n\r\n',
  '0\r\n\r\n',
  '0\r\n',
  '3\r\nabc\r\n',
  '3;x\r\nabc\r\n',
  '3 ;x\r\nabc\r\n',
  '3;"\r\n"\r\nabc\r\n',
  '0x3\r\nabc\r\n',
  '03\r\nabc\r\n',
  '0000000000000003\r\nabc\r\n',
  'FFFFFFFFFFFFFFFF\r\n',
  '10000000000000000\r\n',
  'GET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ' HTTP/1.1',
  ' HTTP/1.0',
  'HTTP/1.1 ',
  ' ',
  '\t',
]

/** A message, or several sent ahead, good or spoilt by up to three changes. In latin1. */
export function makeMessage(dice: Dice): string {
  let text = ''
  for (let i = 1 + (dice.roll(3) === 0 ? dice.roll(3) : 0); i > 0; i--) text += dice.pick(dice.roll(2) === 0 ? ownSeeds : seeds)
  for (let i = dice.roll(4); i > 0; i--) text = change(text, dice)
  return text.slice(0, 8000)
}

function change(text: string, dice: Dice): string {
  const at = dice.roll(text.length + 1)
  switch (dice.roll(10)) {
    case 0:
      return text.slice(0, at) + dice.pick(nastyBytes) + text.slice(at)
    case 1:
      return text.slice(0, at) + dice.pick(nastyBytes) + text.slice(at + 1)
    case 2:
      return text.slice(0, at) + text.slice(at + 1 + dice.roll(3))
    case 3:
      return text.slice(0, at) + dice.pick(nastyTexts) + text.slice(at)
    case 4: {
      const line = lineStart(text, at)
      return text.slice(0, line) + dice.pick(nastyTexts) + text.slice(line)
    }
    case 5: {
      // A line twice.
      const from = lineStart(text, at)
      const to = text.indexOf('\n', from) + 1
      return to === 0 ? text : text.slice(0, to) + text.slice(from, to) + text.slice(to)
    }
    case 6: {
      // One kind of line end for another.
      const end = text.indexOf('\r\n', at)
      return end === -1
        ? text
        : text.slice(0, end) + dice.pick(['\n', '\r', '\r\r\n', '\n\r', ' \r\n', '\r\n ', '']) + text.slice(end + 2)
    }
    case 7:
      return text.replace(/\d+/, (digits) =>
        dice.pick([`+${digits}`, `0${digits}`, `${digits} `, `-${digits}`, `${Number(digits) + 1}`, `0x${digits}`, `${digits}_0`]),
      )
    case 8: {
      const other = dice.pick(seeds)
      return text.slice(0, at) + other.slice(dice.roll(other.length))
    }
    default: {
      // Capitals for small letters, and the other way round.
      const c = text[at] ?? ''
      return text.slice(0, at) + (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()) + text.slice(at + 1)
    }
  }
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', Math.max(0, at - 1)) + 1
}
