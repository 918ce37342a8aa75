// Loaded before a test file (`node --import`): however far from node_modules the file lies, 'velum' in it is this Velum.
import { registerHooks } from 'node:module'
import { extname } from 'node:path'

const extension = extname(import.meta.filename)
const doors = new Map(
  [
    ['velum', '../index'],
    ['velum/testing', '../testing'],
  ].map(([name, place]) => [name, new URL(`${place}${extension}`, import.meta.url).href]),
)

registerHooks({
  resolve(specifier, context, nextResolve) {
    const url = doors.get(specifier)
    return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true }
  },
})
