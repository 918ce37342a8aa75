import { main } from './main.ts'

/** How long an unexpected open handle may keep a finished process alive. */
const lingerMs = 2000
const longestTimerMs = 2 ** 31 - 1

/** The process of `velum`: its arguments, streams and exit code. */
export async function runProcess(): Promise<void> {
  // A reader that has seen enough (`velum routes | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  // The clock's timers keep nothing alive: a command that waits for a store between two tries would end without a word.
  const alive = setInterval(() => {}, longestTimerMs)
  process.exitCode = await main(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
    folder: process.cwd(),
  })
  clearInterval(alive)
  setTimeout(() => process.exit(), lingerMs).unref()
}
