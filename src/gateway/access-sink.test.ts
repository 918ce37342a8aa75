import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync, rmSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { workFolder } from '../../test/support/velum-process.ts'
import type { GatewayModel } from '../config/model.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import { AccessSink } from './access-sink.ts'
import { EnvironmentFault } from './environment-fault.ts'

const writing = (file: string): GatewayModel['log'] => ({ format: 'json', file, level: 'info' })

test('reloads while lines are being written keep their order, and begin a new file where the old one was moved away', async (t) => {
  const folder = workFolder(t).path
  const file = join(folder, 'access.log')
  const sink = new AccessSink(new ManualClock(), silentLog, silentMeter)
  sink.prepare(writing(file)).commit()
  const lines = Array.from({ length: 300 }, (_, i) => `${i} ${'x'.repeat(5000)}\n`)
  for (const [i, line] of lines.entries()) {
    sink.write(Buffer.from(line), () => {})
    if (i % 100 === 50) sink.prepare(writing(file)).commit()
    if (i % 100 === 70) sink.prepare(writing(file)).discard()
    if (i === 200) renameSync(file, `${file}.1`)
  }
  await sink.close()
  assert.equal(readFileSync(`${file}.1`, 'utf8') + readFileSync(file, 'utf8'), lines.join(''))
})

test('a file that cannot be opened anew fails the reload and leaves the log as it was', async (t) => {
  const folder = workFolder(t).path
  const file = join(folder, 'log/access.log')
  mkdirSync(join(folder, 'log'))
  const sink = new AccessSink(new ManualClock(), silentLog, silentMeter)
  sink.prepare(writing(file)).commit()
  renameSync(join(folder, 'log'), join(folder, 'moved'))
  writeFileSync(join(folder, 'log'), '')
  assert.throws(() => sink.prepare(writing(file)), EnvironmentFault)
  sink.write(Buffer.from('still\n'), () => {})
  await sink.close()
  assert.equal(readFileSync(join(folder, 'moved/access.log'), 'utf8'), 'still\n')
  rmSync(join(folder, 'log'))
})
