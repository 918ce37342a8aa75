import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { grpcCodeOf, grpcMessage, grpcTimeoutOf, isGrpcType, parseGrpcTimeout, renderGrpcProblem } from './grpc-status.ts'
import { headerBlock } from './headers.ts'

describe('gRPC statuses', () => {
  it('render a problem as headers alone', () => {
    const headers = headerBlock([['retry-after', '3']])
    const answer = renderGrpcProblem({ name: 'quota-exceeded', detail: 'Zu viel: 100 % der Größe', headers }, exchangeOf())
    assert.deepEqual([answer.status, answer.body.size], [200, 0])
    assert.equal(
      answer.headers.toLines(),
      'content-type: application/grpc\r\nretry-after: 3\r\ngrpc-status: 8\r\ngrpc-message: Zu viel: 100 %25 der Gr%C3%B6%C3%9Fe\r\n',
    )
    assert.equal(
      renderGrpcProblem({ name: 'unavailable' }, exchangeOf()).headers.get('grpc-message'),
      'The service is not available',
    )
  })

  it('say what a caller can do: log in, wait, or give up', () => {
    assert.deepEqual(
      (['unauthenticated', 'forbidden', 'no-route', 'quota-exceeded', 'unavailable', 'service-timeout', 'internal'] as const).map(
        grpcCodeOf,
      ),
      [16, 7, 12, 8, 14, 4, 13],
    )
  })

  it('tell gRPC from what only looks like it', () => {
    for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc; charset=utf-8'])
      assert.ok(isGrpcType(type), type)
    for (const type of ['application/grpc-web', 'application/grpc-web+proto', 'application/grpcx', 'application/json', ''])
      assert.ok(!isGrpcType(type), type)
  })

  it('keep every message within what a field may hold', () => {
    assert.equal(grpcMessage('a\r\nb'), 'a%0D%0Ab')
    assert.equal(grpcMessage(' a '), '%20a%20')
    assert.equal(grpcMessage(''), '')
  })

  it('read timeouts in every unit, and nothing else', () => {
    assert.deepEqual(
      ['1H', '2M', '3S', '4m', '5000u', '6000000n', '0S'].map(parseGrpcTimeout),
      [3_600_000, 120_000, 3000, 4, 5, 6, 0],
    )
    for (const text of ['', '5', '5s', '-1S', '1.5S', '123456789S', ' 1S', '1S '])
      assert.equal(parseGrpcTimeout(text), undefined, text)
  })

  it('write timeouts that are never longer than what is left', () => {
    for (const ms of [0.0001, 0.5, 1, 99.9999, 1234.5678, 99_999, 100_000.7, 99_999_999, 1e9, 1e12]) {
      const text = grpcTimeoutOf(ms)
      assert.match(text, /^\d{1,8}[uSm]$/)
      assert.ok(parseGrpcTimeout(text)! <= Math.max(ms, 0.001), `${ms} ${text}`)
    }
    assert.equal(grpcTimeoutOf(1500), '1500000u')
  })
})
