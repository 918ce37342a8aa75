// `npm run soak -- --minutes 30 [--store redis|embedded] [--rate 1] [--only PATTERN]`: everything at once against one gateway of two workers, and
// what it holds must stay what it is. `--minutes 1` shows that it works; what grows slowly is judged from ten minutes on.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { cleaningUp } from '../bench/support/cleanup.ts'
import { freePort } from '../bench/support/processes.ts'
import { createTestAuthority } from '../test/support/authority.ts'
import { noRedis, startRedis } from '../test/support/redis-server.ts'
import { workFolder } from '../test/support/velum-process.ts'
import { createHttp1Caller, createHttp2Caller } from './soak/callers.ts'
import { soakConfig } from './soak/configs.ts'
import { adminOf, startGateway } from './soak/gateway-process.ts'
import { httpActivities } from './soak/http-activities.ts'
import { judge, tallyTable } from './soak/judge.ts'
import { Ledger } from './soak/ledger.ts'
import { Operator } from './soak/operator.ts'
import { keepDoing } from './soak/pace.ts'
import { createPeople, peopleActivities } from './soak/people-activities.ts'
import { isOfIdleConnectClient, rpcActivities } from './soak/rpc-activities.ts'
import { keepSampling, sample } from './soak/samples.ts'
import type { Sample } from './soak/samples.ts'
import { readSoakTypes, startServices } from './soak/services.ts'
import { socketActivities } from './soak/socket-activities.ts'
import type { World } from './soak/world.ts'
import { wordsOf } from './soak/world.ts'
import { printPromises } from './support/promises.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    store: { type: 'string', default: 'redis' },
    rate: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    samples: { type: 'string', default: 'proof/soak.samples.json' },
  },
})
const workers = 2
const minutes = Number(values.minutes)
if (!(minutes > 0) || !['redis', 'embedded'].includes(values.store)) throw new Error('usage: --minutes N --store redis|embedded')
if (values.store === 'redis' && noRedis !== false) throw new Error(noRedis)

await cleaningUp(async (cleanup) => {
  const ledger = new Ledger()
  // A fault of a client of ours is told, and breaks a promise; it does not end what thousands of others do.
  const uncaught = (thrown: unknown): void => {
    if (!isOfIdleConnectClient(thrown)) ledger.note(`the soak itself: ${thrown instanceof Error ? thrown.stack : wordsOf(thrown)}`)
  }
  process.on('uncaughtException', uncaught).on('unhandledRejection', uncaught)
  cleanup.after(() => process.off('uncaughtException', uncaught).off('unhandledRejection', uncaught))
  const types = await readSoakTypes()
  const services = await startServices(cleanup, ledger, types)
  const redis = values.store === 'redis' ? await startRedis() : undefined
  cleanup.after(() => redis?.stop())
  const folder = workFolder(cleanup)
  const authority = await createTestAuthority('soak')
  const pair = await authority.issue('localhost')
  folder.write('server.pem', pair.cert)
  folder.write('server.key', pair.key)
  const [plainPort, securePort, adminPort] = [await freePort(), await freePort(), await freePort()]
  const store = redis === undefined ? ({ kind: 'embedded', path: '.velum' } as const) : ({ kind: 'redis', url: redis.url } as const)
  const place = { plainPort, securePort, adminPort, store }
  const configs = [soakConfig('a', place, services), soakConfig('b', place, services)]
  folder.write('velum.config.json', JSON.stringify(configs[0]))

  const leftFolder = join(folder.path, 'left')
  const gateway = await startGateway(cleanup, folder.path, workers, leftFolder)
  const [plain, secure] = [`http://127.0.0.1:${plainPort}`, `https://localhost:${securePort}`]
  const ca = authority.cert
  let isStopping = false
  const world: World = {
    ledger,
    types,
    services,
    admin: adminOf(adminPort),
    plain,
    secure,
    ca,
    callers: {
      http1: createHttp1Caller(plain, { keepAlive: true }),
      http1Secure: createHttp1Caller(secure, { ca, keepAlive: true }),
      http1Fresh: createHttp1Caller(secure, { ca, keepAlive: false }),
      http2: createHttp2Caller(secure, { ca }),
      http2Plain: createHttp2Caller(plain),
    },
    isStopping: () => isStopping,
  }
  cleanup.after(() => {
    for (const caller of Object.values(world.callers)) caller.close()
  })
  await createPeople(world)
  const operator = new Operator(world, folder.path, configs, authority)
  const only = new RegExp(values.only)
  const activities = [
    ...httpActivities(world),
    ...rpcActivities(cleanup, world),
    ...socketActivities(world),
    ...peopleActivities(world),
  ].filter(({ name }) => only.test(name))
  const source = {
    pid: gateway.pid,
    admin: world.admin,
    isStopping: () => isStopping,
    redis,
    storeFolder: join(folder.path, '.velum'),
    leftFolder,
    workers,
  }
  const samples: Sample[] = []
  const rotating = setInterval(() => ledger.rotate(), 30_000)
  const write = (): void => {
    const told = { samples, tallies: [...ledger.tallies], wrong: [...ledger.wrong], complaints: [...gateway.complaints] }
    writeFileSync(values.samples, JSON.stringify({ minutes, store: values.store, ...told }))
  }
  const telling = setInterval(() => {
    tell()
    write()
  }, 60_000)
  const tell = (): void => {
    const last = samples.at(-1) ?? {}
    const mib = (name: string): string => ((last[name] ?? 0) / 1_048_576).toFixed(0)
    console.log(
      `${(last['seconds'] ?? 0).toFixed(0)} s: ${last['velum_requests_total'] ?? 0} requests, ${ledger.wrong.size} kinds of wrong, RSS ${mib('resident memory')} MiB, heap of workers ${mib('heap of workers')} MiB, of main ${mib('heap of main')} MiB, ${last['files: sockets'] ?? 0} sockets`,
    )
  }
  console.log(`soaking for ${minutes} min, store ${values.store}, ${activities.length} activities; pid ${gateway.pid}`)
  const going = Promise.all([
    keepDoing(world, activities, Number(values.rate)),
    operator.work(),
    keepSampling(source, samples, (thrown) => ledger.note(`a reading: ${wordsOf(thrown)}`)),
  ])
  const isDead = await Promise.race([sleep(minutes * 60_000, false), gateway.ended.then(() => true)])
  isStopping = true
  clearInterval(telling)
  clearInterval(rotating)
  if (isDead) throw new Error(`the gateway ended after ${samples.length} readings; ${[...gateway.complaints.keys()].join('; ')}`)
  await going
  // Two readings of the gauges later there is nothing under way that is not counted as over.
  await sleep(11_000)
  const after = await sample(source)
  const exitCode = await gateway.stop()
  write()
  console.log(tallyTable(ledger))
  const lines = judge({ minutes, samples, ledger, operator, gateway, after, exitCode })
  printPromises(`Soak: ${minutes} min, store ${values.store}`, lines)
})
