import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { curlLines } from './curl-lines.ts'

describe('the five lines to paste', () => {
  const lines = curlLines({ gateway: 'https://localhost:8443', authorityPath: "/home/o'neil/my shop/dev-ca.pem", token: 'a.b.c' })

  it('are five, each with a title', () => {
    assert.equal(lines.length, 5)
    assert.equal(new Set(lines.map(({ title }) => title)).size, 5)
  })

  it('are words that a POSIX shell reads as meant, whatever the path', () => {
    for (const { command } of lines) {
      const shell = spawnSync('sh', ['-c', `curl() { printf '%s|' "$@"; echo; }\n${command}`], { encoding: 'utf8' })
      assert.equal(shell.status, 0, shell.stderr)
      const calls = shell.stdout.trim().split('\n')
      assert.equal(calls.length, command.startsWith('for') ? 15 : 1)
      assert.match(calls[0], /^--cacert\|\/home\/o'neil\/my shop\/dev-ca\.pem\|/)
      if (command.includes('Authorization')) assert.match(calls[0], /\|Authorization: Bearer a\.b\.c\|/)
    }
  })
})
