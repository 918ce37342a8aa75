#!/usr/bin/env node
// Plain JavaScript, so that a Node.js too old for Velum can read it and say so.
import { existsSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

const oldest = 24
if (Number.parseInt(process.versions.node, 10) < oldest) {
  process.stderr.write(`velum: this is Node.js ${process.versions.node}; Velum needs ${oldest} or newer\n`)
  process.exit(3)
}

// A request passes through many small functions. V8's bounds for inlining (460 and 920 bytes of bytecode) end in the middle
// of that path; with these a request costs less CPU (bench/README.md). They hold for all threads of the process.
setFlagsFromString('--max-inlined-bytecode-size=1000')
setFlagsFromString('--max-inlined-bytecode-size-cumulative=3000')

// The checkout runs from its sources, the published package from what was built of them.
const source = new URL('../src/cli/process.ts', import.meta.url)
const entry = existsSync(source) ? source : new URL('../dist/cli/process.js', import.meta.url)
const { runProcess } = await import(entry.href)
await runProcess()
