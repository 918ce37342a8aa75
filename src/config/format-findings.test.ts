import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathText } from './finding.ts'
import type { Finding } from './finding.ts'
import { countText, formatFindings } from './format-findings.ts'

const error: Finding = {
  severity: 'error',
  file: '/etc/velum/velum.config.yaml',
  path: 'routes[2].to',
  message: 'wrong',
  remedy: 'right',
  line: 3,
  column: 5,
}
const warning: Finding = { severity: 'warning', file: '/etc/other.ts', path: '', message: 'odd', remedy: 'even' }

test('tells where, what and what would be right, and counts', () => {
  assert.equal(
    formatFindings([error, warning], '/etc/velum'),
    `velum.config.yaml:3:5  routes[2].to
  error: wrong
  remedy: right

/etc/other.ts
  warning: odd
  remedy: even

1 error, 1 warning
`,
  )
  assert.equal(formatFindings([]), '')
})

test('counts in words', () => {
  assert.equal(countText([]), 'no problems')
  assert.equal(countText([error, error, warning, warning]), '2 errors, 2 warnings')
  assert.equal(countText([warning]), '1 warning')
})

test('a path reads as one would write it', () => {
  assert.equal(pathText(['routes', 2, 'limits', 0, 'use']), 'routes[2].limits[0].use')
  assert.equal(pathText(['identity', 'apiKeys', 'ci-bot', 'sha256']), 'identity.apiKeys.ci-bot.sha256')
  assert.equal(pathText(['services', 'a.b c']), 'services["a.b c"]')
  assert.equal(pathText([]), '')
})
