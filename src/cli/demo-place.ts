/** Where the demo lies: beside the sources of a checkout; the published package has none. */
export const demoFolder = new URL('../../demo/', import.meta.url)
export const demoConfig = new URL('velum.config.ts', demoFolder)
