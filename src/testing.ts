/** The door for tests of a configuration: what a test file imports from 'velum/testing'. */
export { createTestGateway } from './testing/test-gateway.ts'
export type { TestGateway, TestGatewayOptions, TestRequest } from './testing/test-gateway.ts'
export type { TestAnswer } from './testing/test-answer.ts'
export type { FakeAnswer, FakeService, TestCall } from './testing/fake-service.ts'
export type { AssumedCaller, ExplainedStep, Explanation } from './gateway/explanation.ts'
