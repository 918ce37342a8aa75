import { extname } from 'node:path'

/** The module that a worker thread runs: a source in the checkout, JavaScript in the published package. */
export const workerEntry = new URL(`./worker-entry${extname(import.meta.filename)}`, import.meta.url)
