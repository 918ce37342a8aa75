import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const gateway = (name: string, more = ''): string => `
  platform.gateway({
    name: '${name}',
    listeners: { web: { port: 0 } },
    admin: { port: 0 },
    routes: [
      { name: 'hello', match: { path: '/hello', hosts: ['${name}.example.com'] }, respond: { status: 200, body: '${name}' } },
    ],
    ${more}
  }),`

const file = (...gateways: string[]): string => `
import { definePlatform } from 'velum'
const platform = definePlatform({
  defaults: { auth: 'public' },
  floor: { body: { max: '1mb' }, headers: { secure: true } },
})
export default [${gateways.join('')}]
`

interface Ready {
  readonly name: string
  readonly gateway: string
  readonly pid: number
  readonly admin: string
  readonly listeners: { readonly web: string }
}

/** The lines with which gateways say that they are ready, once there are so many. */
async function ready(velum: VelumProcess, count: number): Promise<Ready[]> {
  await velum.printed(new RegExp(`(?:"the gateway is ready"[^]*?\\n[^]*?){${count}}`))
  return velum.log().filter(({ msg }) => msg === 'the gateway is ready') as unknown as Ready[]
}

function hello({ listeners, name }: Ready): Promise<string> {
  // The host is that of the gateway's routes, wherever it listens.
  return new Promise((resolve, reject) => {
    const call = request(new URL('/hello', listeners.web), { headers: { host: `${name}.example.com` }, agent: false }, (answer) => {
      answer.setEncoding('utf8').on('data', (text: string) => resolve(`${answer.statusCode} ${text}`))
    })
    call.on('error', reject).end()
  })
}

test('velum run runs the gateways of a file in processes of their own; what befalls one leaves the others alone', async (t) => {
  const folder = workFolder(t)
  folder.write(
    'velum.config.ts',
    file(gateway('orders'), gateway('billing', `defaults: { body: { max: '2mb' } },`), gateway('users')),
  )
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path })
  const first = await ready(velum, 2)
  t.after(() => {
    for (const { pid } of first) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  assert.deepEqual(first.map(({ name }) => name).sort(), ['orders', 'users'])
  assert.equal(new Set(first.map(({ pid }) => pid)).size, 2)
  assert.match(velum.err, /\[1\]\.defaults\.body\.max {2}\(gateway billing\)\n {2}error: .* and floor\.body\.max allows 1mb/)
  assert.match(velum.err, /gateway billing is not started/)
  for (const one of first) {
    assert.equal(await hello(one), `200 ${one.name}`)
    const authorization = `Bearer ${readFileSync(join(folder.path, '.velum', one.name, 'admin.token'), 'utf8').trim()}`
    const metrics = await (await fetch(new URL('/metrics', one.admin), { headers: { authorization } })).text()
    assert.ok(metrics.includes(`velum_gateway_info{name="${one.name}"} 1\n`))
    assert.equal(one.gateway, one.name)
    assert.ok(existsSync(join(folder.path, '.velum', one.name, 'admin.token')))
  }

  const [orders, users] = ['orders', 'users'].map((name) => first.find((one) => one.name === name)!)
  process.kill(orders.pid, 'SIGKILL')
  const again = (await ready(velum, 3))[2]
  assert.deepEqual([again.name, again.pid === orders.pid], ['orders', false])
  assert.equal(await hello(again), '200 orders')
  assert.equal(await hello(users), '200 users')

  folder.write('velum.config.ts', file(gateway('orders'), gateway('billing'), gateway('users')))
  velum.kill('SIGHUP')
  const late = (await ready(velum, 4))[3]
  assert.equal(late.name, 'billing')
  assert.equal(await hello(late), '200 billing')

  velum.kill('SIGINT')
  assert.equal((await velum.ended).code, 0)
  for (const { pid } of [users, again, late]) assert.ok(!isAlive(pid))
})

test('--only takes one gateway of a file, whatever is wrong with the others', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.ts', file(gateway('orders'), gateway('billing', `defaults: { body: { max: '2mb' } },`)))
  const velum = startVelum(t, ['run', '--only', 'orders', '--workers', '1'], { folder: folder.path })
  const [orders] = await ready(velum, 1)
  assert.equal(await hello(orders), '200 orders')
  assert.equal(orders.pid, velum.child.pid)
  velum.kill('SIGINT')
  assert.equal((await velum.ended).code, 0)

  const run = (...args: string[]): ReturnType<typeof runCommand> => runCommand(args, { folder: folder.path })
  const refused = await runVelum(t, ['run', '--only', 'billing'], { folder: folder.path })
  assert.equal(refused.code, 1)
  assert.match(refused.err, /floor\.body\.max/)

  const check = await run('check')
  assert.equal(check.code, 1)
  assert.match(check.err, /gateway orders: no problems\n.*gateway billing: 1 error\n/)
  assert.equal((await run('check', '--only', 'orders')).code, 0)
  const json = JSON.parse((await run('check', '--json')).out) as { clean: boolean; gateways: unknown }
  assert.deepEqual(json.gateways, [
    { name: 'orders', clean: true },
    { name: 'billing', clean: false },
  ])

  const routes = await run('routes')
  assert.equal(routes.code, 1)
  assert.match(routes.err, /the file holds several gateways: orders, billing\n {2}remedy: name one with --only NAME/)
  assert.match((await run('routes', '--only', 'orders')).out, /orders\.example\.com/)
  assert.match((await run('explain', '--only', 'orders', 'GET', 'http://orders.example.com/hello')).out, /hello/)
  assert.match((await run('diff', 'velum.config.ts', 'velum.config.ts', '--only', 'orders')).out, /come to the same/)
})

test('gateways that would open the same port are not started side by side', async (t) => {
  const folder = workFolder(t)
  const text = file(gateway('orders'), gateway('billing')).replaceAll('web: { port: 0 }', 'web: { port: 18441 }')
  folder.write('velum.config.ts', text)
  const { code, err } = await runVelum(t, ['run'], { folder: folder.path })
  assert.equal(code, 3)
  assert.match(err, /the gateways orders and billing both open port 18441: they cannot run side by side on one machine/)
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
