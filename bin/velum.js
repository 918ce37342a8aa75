#!/usr/bin/env node
// Plain JavaScript, so that a Node.js too old for Velum can read it and say so.
import { existsSync } from 'node:fs'

const oldest = 24
if (Number.parseInt(process.versions.node, 10) < oldest) {
  process.stderr.write(`velum: this is Node.js ${process.versions.node}; Velum needs ${oldest} or newer\n`)
  process.exit(3)
}

// The checkout runs from its sources, the published package from what was built of them.
const source = new URL('../src/cli/process.ts', import.meta.url)
const entry = existsSync(source) ? source : new URL('../dist/cli/process.js', import.meta.url)
const { runProcess } = await import(entry.href)
await runProcess()
