// Loaded before a test file (`node --import`): however far from node_modules the file lies, 'velum' in it is this Velum.
import { registerHooks } from 'node:module'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'

const extension = extname(import.meta.filename)
const doors = new Map(
  [
    ['velum', '../index'],
    ['velum/testing', '../testing'],
  ].map(([name, place]) => [name, new URL(`${place}${extension}`, import.meta.url).href]),
)

const entryUrl = process.argv[1] === undefined ? undefined : pathToFileURL(process.argv[1]).href

registerHooks({
  resolve(specifier, context, nextResolve) {
    const url = doors.get(specifier)
    return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true }
  },
  load(url, context, nextLoad) {
    // Like a configuration: a module, whatever "type" the nearest package.json states ("commonjs" after `npm init`).
    const format = url === entryUrl && url.endsWith('.ts') ? 'module-typescript' : context.format
    return nextLoad(url, { ...context, format })
  },
})
