// Builds what is published into dist/: the sources as JavaScript with their types, and the dashboard. What an earlier build
// left there would be published with it, so it goes first.
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

function left(): string[] {
  try {
    // The dashboard is replaced by its own build: a gateway that runs from this checkout serves it meanwhile.
    return readdirSync(dist).filter((name) => name !== 'dashboard')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw thrown
  }
}

for (const name of left()) rmSync(join(dist, name), { recursive: true })
for (const args of [
  [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'],
  [join('scripts', 'build-dashboard.ts')],
])
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
