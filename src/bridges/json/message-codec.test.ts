import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { suite, test } from 'node:test'
import { Fault } from '../../core/fault.ts'
import { compileProtos } from '../descriptors/compile-protos.ts'
import { readDescriptors } from '../descriptors/descriptors.ts'
import { MessageCodec, standardJson } from './message-codec.ts'

const folder = fileURLToPath(new URL('../../../test/e2e/protos', import.meta.url))
const compiled = await compileProtos([`${folder}/shelf/v1/shelf.proto`], folder)
const { registry } = readDescriptors(compiled.set!)
const book = new MessageCodec(registry.getMessage('shelf.v1.Book')!, registry)

const round = (json: unknown): unknown =>
  JSON.parse(book.toText(book.toBytes(Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)))))

function refusal(json: string): string {
  try {
    book.toBytes(Buffer.from(json))
    return 'taken'
  } catch (thrown) {
    assert.ok(thrown instanceof Fault, String(thrown))
    return thrown.message
  }
}

suite('messages as JSON', () => {
  const same: [string, unknown][] = [
    ['a 64-bit integer as text', { pages: '-9223372036854775808' }],
    ['an enum', { kind: 'KIND_NOVEL' }],
    ['an enum number without a name', { kind: 99 }],
    ['lists', { tags: ['a', ''], years: [1, -1] }],
    ['a message', { author: { name: 'a', born: 1 } }],
    ['an empty message', { author: {} }],
    ['bytes', { cover: '+/8=' }],
    ['a number', { price: 1.5 }],
    ['not a number', { price: 'NaN' }],
    ['a timestamp', { printed: '2026-11-24T10:00:00.123456789Z' }],
    ['a wrapper', { copies: '9007199254740993' }],
    ['a map', { counts: { a: '1', __proto__x: '2' } }],
    ['a struct', { notes: { a: [1, null, { b: true }], c: 'x' } }],
    ['an Any of our own type', { extra: { '@type': 'type.googleapis.com/shelf.v1.Author', name: 'a', born: 1 } }],
    ['an Any of a well-known type', { extra: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '3.500s' } }],
    ['a oneof', { floor: 3 }],
    ['a field mask', { mask: 'a.bC,d' }],
  ]
  for (const [what, json] of same) test(`${what} comes back as it went`, () => assert.deepEqual(round(json), json))

  test('integers of 64 bits arrive exact, wherever they stand', () => {
    const n = '9007199254740993'
    assert.deepEqual(round(`{"pages":${n}}`), { pages: n })
    assert.deepEqual(round(`{"copies":${n}}`), { copies: n })
    assert.deepEqual(round(`{"counts":{"a":${n}}}`), { counts: { a: n } })
    const any = `{"extra":{"@type":"type.googleapis.com/shelf.v1.Book","pages":${n}}}`
    assert.deepEqual(round(any), { extra: { '@type': 'type.googleapis.com/shelf.v1.Book', pages: n } })
    const wrapped = `{"extra":{"@type":"type.googleapis.com/google.protobuf.Int64Value","value":${n}}}`
    assert.deepEqual(round(wrapped), { extra: { '@type': 'type.googleapis.com/google.protobuf.Int64Value', value: n } })
    // Elsewhere they are the doubles that they would have been anyway.
    assert.deepEqual(round(`{"price":${n},"notes":{"a":${n}}}`), { price: 9007199254740992, notes: { a: 9007199254740992 } })
    assert.match(refusal(`{"title":${n}}`), /^title: must be a string$/)
    assert.match(refusal(`{"years":[${n}]}`), /^years\[0\]: must be an integer/)
    for (const fraction of ['1000000000.00000003', '9007199254740992.5', '1.00000000000000000001']) {
      assert.match(refusal(`{"pages":${fraction}}`), /^pages: must be an integer/, fraction)
      assert.match(refusal(`{"copies":${fraction}}`), /^copies: must be an integer/, fraction)
    }
    assert.match(refusal('{"pages":1e19}'), /^pages: must be an integer from -9223372036854775808/)
  })

  test('null leaves a field unset, both names are read', () => {
    assert.deepEqual(round('{"title":null,"author":null,"tags":null,"copies":null,"is_lent":true}'), { isLent: true })
    assert.equal(refusal('{"isLent":true,"is_lent":true}'), 'is_lent: stands there twice, as isLent too')
  })

  test('what is at fault is named in the words of the API', () => {
    const wrong: [string, string][] = [
      ['{"author":{"born":1.5}}', 'author.born: must be an integer from -2147483648 to 2147483647'],
      ['{"tags":[null]}', 'tags[0]: must not be null'],
      ['{"tags":"a"}', 'tags: must be an array'],
      ['{"counts":[]}', 'counts: must be an object'],
      ['{"author":1}', 'author: must be an object'],
      ['{"kind":"kind_novel"}', 'kind: must be one of KIND_UNSPECIFIED, KIND_NOVEL, or a number'],
      ['{"printed":"yesterday"}', 'printed: must be a time such as "2026-11-24T10:00:00Z"'],
      ['{"extra":{"name":"a"}}', 'extra.@type: must name the type of the value'],
      [
        '{"extra":{"@type":"type.googleapis.com/shelf.v1.Author","born":"x"}}',
        'extra.born: must be an integer from -2147483648 to 2147483647',
      ],
      ['{"isLent":"true"}', 'isLent: must be true or false'],
      ['{"cover":"*"}', 'cover: must be a string in base64'],
    ]
    for (const [json, words] of wrong) assert.equal(refusal(json), words, json)
  })

  test('a hostile message is refused without asking long', () => {
    const deep = `{${'"extra":{"@type":"type.googleapis.com/shelf.v1.Book",'.repeat(30)}"years":[${'1,'.repeat(50_000)}"x"]${'}'.repeat(31)}`
    assert.match(refusal(deep), /^extra\./)
  })

  test('options of reading and writing', () => {
    const loose = new MessageCodec(book.desc, registry, {
      unknownFields: 'ignore',
      emitDefaults: true,
      enumsAsNumbers: true,
      protoNames: true,
    })
    const json = JSON.parse(loose.toText(loose.toBytes(Buffer.from('{"nope":1,"kind":"KIND_NOVEL"}')))) as Record<string, unknown>
    assert.deepEqual([json['kind'], json['is_lent'], json['pages'], json['tags']], [1, false, '0', []])
    assert.throws(
      () => new MessageCodec(book.desc, registry, standardJson).toBytes(Buffer.from('{"nope":1}')),
      /there is no such field/,
    )
  })

  test('bytes that are no message are the nonsense of the service', () => {
    assert.throws(
      () => book.fromBytes(Buffer.from([0xff])),
      (thrown) => thrown instanceof Fault && thrown.code === 'service-nonsense',
    )
  })

  test('content that is no UTF-8 is refused', () => {
    assert.throws(() => book.toBytes(Buffer.from([0x22, 0xff, 0x22])), /not UTF-8/)
    assert.match(refusal('x'), /not JSON/)
  })
})
