// Answers that do not fit their description go on all the same; who looks at the metrics or the log sees them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { okay, startRawService } from '../support/raw-service.ts'
import { startVelum, workFolder } from '../support/velum-process.ts'

const config = `
name: answers
listeners: { web: { port: 0, host: 127.0.0.1 } }
admin: { port: 0 }
log: { format: none }
services: { pets: { url: '\${PETS}' } }
defaults: { auth: public }
routes:
  - { name: pets, match: { path: '/pets/{id}' }, to: pets, compress: true, body: { openapi: { file: pets.yaml, responses: shadow } } }
`
const description = `
openapi: 3.1.0
paths:
  /pets/{id}:
    get:
      parameters: [{ name: id, in: path, schema: { type: integer } }]
      responses:
        '200': { content: { application/json: { schema: { type: object, required: [name], properties: { name: { type: string } } } } } }
`

test('answers are checked in shadow', async (t) => {
  const answers: Record<string, string> = { 1: '{"name":"Rex"}', 2: '{"name":5}', 3: `{"name":"${'x'.repeat(5000)}","n":1` }
  const service = await startRawService((socket, { head }) => {
    const id = /^GET \/pets\/(\d+)/.exec(head)![1]
    socket.write(okay(answers[id], 'Content-Type: application/json\r\n'))
  })
  t.after(() => service.close())
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  folder.write('pets.yaml', description)
  const env = { PETS: `http://127.0.0.1:${service.port}` }
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { listeners, admin } = JSON.parse(line) as { listeners: { web: string }; admin: string }
  for (const [id, content] of Object.entries(answers)) {
    const answer = await fetch(new URL(`/pets/${id}`, listeners.web), {
      headers: { 'accept-encoding': id === '3' ? 'gzip' : 'identity' },
    })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-encoding'), id === '3' ? 'gzip' : null)
    assert.equal(await answer.text(), content)
  }
  assert.equal((await fetch(new URL('/pets/one', listeners.web))).status, 422)
  const token = readFileSync(join(folder.path, '.velum', 'metrics.token'), 'utf8').trim()
  const counts = async (): Promise<Record<string, string>> => {
    const text = await (await fetch(new URL('/metrics', admin), { headers: { authorization: `Bearer ${token}` } })).text()
    return Object.fromEntries(
      [...text.matchAll(/^velum_answer_checks_total\{.*result="(\w+)".*\} (\d+)$/gm)].map(([, result, n]) => [result, n]),
    )
  }
  // The check of the last answer may end a moment after its client has it.
  let seen = await counts()
  for (let asked = 1; asked < 50 && seen['invalid'] !== '2'; asked++) seen = await counts()
  assert.deepEqual(seen, { valid: '1', invalid: '2' })
  const told = velum.log().find(({ msg }) => msg === 'an answer does not fit its description')
  assert.equal(told?.['misfit'], '#/name must be string')
})
