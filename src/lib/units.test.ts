import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { durationPattern, durationText, parseDuration } from './duration.ts'
import { parseRate, ratePattern, rateText } from './rate.ts'
import { parseSize, sizePattern, sizeText } from './size.ts'
import { UnitError } from './unit-error.ts'

function errorOf(parse: () => unknown): string {
  try {
    parse()
  } catch (thrown) {
    assert.ok(thrown instanceof UnitError)
    return `${thrown.message}; ${thrown.remedy}`
  }
  return 'no error'
}

test('reads durations in milliseconds', () => {
  for (const [text, ms] of [
    ['0s', 0],
    ['250ms', 250],
    ['5s', 5000],
    ['10m', 600_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
  ] as const) {
    assert.equal(parseDuration(text), ms, text)
    assert.match(text, new RegExp(durationPattern))
  }
})

test('says what is wrong with a duration and what would be right', () => {
  assert.equal(
    errorOf(() => parseDuration('5')),
    '"5" has no unit; write a whole number and a unit, such as 250ms, 5s, 10m, 12h or 30d',
  )
  assert.equal(
    errorOf(() => parseDuration('1.5s')),
    '"1.5s" is not a whole number of its unit; write "1500ms"',
  )
  assert.equal(
    errorOf(() => parseDuration('1.5h')),
    '"1.5h" is not a whole number of its unit; write "90m"',
  )
  assert.equal(
    errorOf(() => parseDuration('10 s')),
    '"10 s" is not a duration; write "10s"',
  )
  assert.equal(
    errorOf(() => parseDuration('10S')),
    '"10S" is not a duration; write "10s"',
  )
  assert.match(
    errorOf(() => parseDuration('-5s')),
    /^"-5s" is negative; /,
  )
  assert.match(
    errorOf(() => parseDuration('5 minutes')),
    /the unit "minutes" is unknown/,
  )
  assert.match(
    errorOf(() => parseDuration('1h30m')),
    /^"1h30m" is not a duration; /,
  )
  assert.match(
    errorOf(() => parseDuration('99999999999d')),
    /is too large; choose a smaller duration$/,
  )
  assert.match(
    errorOf(() => parseDuration('')),
    /^"" is not a duration; /,
  )
  assert.match(
    errorOf(() => parseDuration('0.0001ms')),
    /is not a whole number of its unit; write a whole number/,
  )
  assert.ok(errorOf(() => parseDuration('x'.repeat(10_000))).length < 200)
})

test('reads sizes in bytes of 1024', () => {
  for (const [text, bytes] of [
    ['512b', 512],
    ['64kb', 65_536],
    ['10mb', 10_485_760],
    ['1gb', 1_073_741_824],
  ] as const) {
    assert.equal(parseSize(text), bytes, text)
    assert.match(text, new RegExp(sizePattern))
  }
  assert.equal(
    errorOf(() => parseSize('10MB')),
    '"10MB" is not a size; write "10mb"',
  )
  assert.equal(
    errorOf(() => parseSize('1.5mb')),
    '"1.5mb" is not a whole number of its unit; write "1536kb"',
  )
  assert.match(
    errorOf(() => parseSize('64k')),
    /the unit "k" is unknown; write a whole number and a unit, such as 512b/,
  )
})

test('reads rates', () => {
  assert.deepEqual(parseRate('2/s'), { units: 2, periodMs: 1000 })
  assert.deepEqual(parseRate('100/m'), { units: 100, periodMs: 60_000 })
  assert.deepEqual(parseRate('5000/h'), { units: 5000, periodMs: 3_600_000 })
  assert.deepEqual(parseRate('100000/d'), { units: 100_000, periodMs: 86_400_000 })
  assert.match('2/s', new RegExp(ratePattern))
})

test('says what is wrong with a rate and what would be right', () => {
  assert.equal(
    errorOf(() => parseRate('0.5/s')),
    '"0.5/s" is not a whole number per period; write "30/m"',
  )
  assert.equal(
    errorOf(() => parseRate('2 per s')),
    '"2 per s" is not a rate; write "2/s"',
  )
  assert.equal(
    errorOf(() => parseRate('2s')),
    '"2s" is not a rate; write "2/s"',
  )
  assert.match(
    errorOf(() => parseRate('0/s')),
    /never gives anything/,
  )
  assert.match(
    errorOf(() => parseRate('-2/s')),
    /is negative/,
  )
  assert.match(
    errorOf(() => parseRate('2')),
    /it does not say per what/,
  )
  assert.match(
    errorOf(() => parseRate('2/week')),
    /it does not say per what/,
  )
  assert.match(
    errorOf(() => parseRate('1e9/s')),
    /is not a rate/,
  )
  assert.match(
    errorOf(() => parseRate('99999999999999999/s')),
    /is too large/,
  )
})

test('what is written is read back as the same', () => {
  fc.assert(fc.property(fc.nat({ max: 2 ** 40 }), (ms) => parseDuration(durationText(ms)) === ms))
  fc.assert(fc.property(fc.nat({ max: 2 ** 40 }), (bytes) => parseSize(sizeText(bytes)) === bytes))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.constantFrom(1000, 60_000, 3_600_000, 86_400_000), (units, periodMs) => {
      assert.deepEqual(parseRate(rateText({ units, periodMs })), { units, periodMs })
    }),
  )
  assert.equal(durationText(Infinity), 'unlimited')
  assert.equal(durationText(0), '0ms')
  assert.equal(sizeText(Infinity), 'unlimited')
  assert.equal(rateText({ units: 3, periodMs: 250 }), '3/250ms')
})

test('no remedy is a spelling that would be refused as well', () => {
  const huge = '9'.repeat(20)
  assert.match(
    errorOf(() => parseRate(`${huge}h`)),
    /is too large; choose a smaller rate$/,
  )
  assert.match(
    errorOf(() => parseDuration(`${huge} D`)),
    /is too large; choose a smaller duration$/,
  )
})

test('nothing but a UnitError comes out of any text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('0', '9', '.', '-', ' ', '/', 'm', 's', 'd', 'h', 'b', 'k', '\n', 'é') }),
      (text) => {
        for (const parse of [parseDuration, parseSize, parseRate]) errorOf(() => parse(text))
      },
    ),
  )
})
