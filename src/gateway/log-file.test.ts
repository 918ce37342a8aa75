import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import { LogFile } from './log-file.ts'
import { OperationalLog } from './operational-log.ts'

function folder(): { path: (name: string) => string; [Symbol.dispose](): void } {
  const root = mkdtempSync(join(tmpdir(), 'velum-log-'))
  return { path: (name) => join(root, name), [Symbol.dispose]: () => rmSync(root, { recursive: true }) }
}

const bytes = (text: string): Buffer => Buffer.from(text)

test('lines are appended in order, and each writer hears when its own are written', async () => {
  using dir = folder()
  const log = new LogFile({ file: dir.path('a.log'), clock: new ManualClock(), dropped: () => assert.fail() })
  const written: number[] = []
  for (let i = 0; i < 200; i++) log.write(bytes(`${i}\n`), () => void written.push(i))
  await log.flushed()
  log.close()
  const expected = Array.from({ length: 200 }, (_, i) => i)
  assert.deepEqual(written, expected)
  assert.equal(readFileSync(dir.path('a.log'), 'utf8'), `${expected.join('\n')}\n`)
})

test('a file that cannot be opened is an error at once', () => {
  assert.throws(() => new LogFile({ file: '/nowhere/a.log', clock: new ManualClock(), dropped: () => {} }), /ENOENT/)
})

test('after a rotation, reopening goes on in a new file and loses nothing', async () => {
  using dir = folder()
  const log = new LogFile({ file: dir.path('a.log'), clock: new ManualClock(), dropped: () => assert.fail() })
  log.write(bytes('one\n'))
  renameSync(dir.path('a.log'), dir.path('a.log.1'))
  log.reopening().commit()
  log.write(bytes('two\n'))
  await log.flushed()
  log.close()
  assert.equal(readFileSync(dir.path('a.log.1'), 'utf8'), 'one\n')
  assert.equal(readFileSync(dir.path('a.log'), 'utf8'), 'two\n')
})

test('a full pipe is waited for without losing a byte', async () => {
  using dir = folder()
  execFileSync('mkfifo', [dir.path('pipe')])
  const reader = openSync(dir.path('pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
  // Opened non-blocking, as stdout is when it is a pipe.
  const script = `
    import { LogFile } from ${JSON.stringify(new URL('log-file.ts', import.meta.url).href)}
    import { systemClock } from ${JSON.stringify(new URL('../core/clock.ts', import.meta.url).href)}
    const log = new LogFile({ file: 'stdout', clock: systemClock, dropped: (n) => process.stderr.write('dropped ' + n) })
    for (let i = 0; i < 3000; i++) log.write(Buffer.from(String(i).padStart(99, '.') + '\\n'))
    setInterval(() => {}, 1000)
    await log.flushed()
    process.exit(0)`
  const writer = openSync(dir.path('pipe'), 'w')
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', writer, 'pipe'] as const })
  closeSync(writer)
  let complaints = ''
  child.stderr!.on('data', (text: Buffer) => void (complaints += text.toString()))
  let isOver = false
  const over = once(child, 'close').then(() => void (isOver = true))
  const buffer = Buffer.alloc(65_536)
  let text = ''
  for (;;) {
    const count = readNow(reader, buffer)
    if (count > 0) text += buffer.toString('latin1', 0, count)
    else if (isOver) break
    else await new Promise((resolve) => setImmediate(resolve))
  }
  await over
  closeSync(reader)
  assert.equal(complaints, '')
  const lines = text.trimEnd().split('\n')
  assert.equal(lines.length, 3000)
  assert.equal(lines[2999], '2999'.padStart(99, '.'))
})

function readNow(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw thrown
  }
}

test('what cannot be written is counted, told once, and acknowledged all the same', async () => {
  let dropped = 0
  const failures: string[] = []
  const log = new LogFile({
    file: '/dev/full',
    clock: new ManualClock(),
    dropped: (lines) => (dropped += lines),
    failed: (why) => void failures.push(why.code ?? ''),
  })
  let settled = 0
  log.write(bytes('one\ntwo\n'), () => settled++)
  await log.flushed()
  log.write(bytes('three\n'), () => settled++)
  await log.flushed()
  log.close()
  assert.equal(dropped, 3)
  assert.equal(settled, 2)
  assert.deepEqual(failures, ['ENOSPC'])
})

test('a queue that grows too long drops what comes next', async () => {
  using dir = folder()
  let dropped = 0
  const log = new LogFile({ file: dir.path('a.log'), clock: new ManualClock(), dropped: (lines) => (dropped += lines) })
  const piece = Buffer.alloc(32 * 1024 * 1024, 'x')
  log.write(piece)
  log.write(piece)
  log.write(bytes('one\n'))
  assert.equal(dropped, 1)
  await log.flushed()
  log.close()
})

test('the operational log prints pino lines, errors with their stack, and no secrets', () => {
  const lines: Record<string, unknown>[] = []
  const log = new OperationalLog(
    { write: (line: Uint8Array) => void lines.push(JSON.parse(Buffer.from(line).toString()) as Record<string, unknown>) },
    'info',
  )
  log.debug('not now')
  log.warn('a service failed', { service: 'orders', token: 'S3cr3t', request: { authorization: 'Bearer S3cr3t' } })
  log.error('broken', { error: new Error('why') })
  log.setLevel('error')
  log.info('nor now')
  assert.equal(lines.length, 2)
  assert.deepEqual([lines[0]['level'], lines[0]['msg'], lines[0]['service']], [40, 'a service failed', 'orders'])
  assert.ok(!JSON.stringify(lines[0]).includes('S3cr3t'))
  assert.match(JSON.stringify(lines[1]['error']), /"message":"why","stack":"Error: why/)
})
