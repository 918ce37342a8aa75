import { join } from 'node:path'

/** What single runs measured; not kept in the repository. */
export const resultsFolder = join(import.meta.dirname, '../results')

/** Plots of the latest run, shown by RESULTS.md. */
export const plotsFolder = join(import.meta.dirname, '../plots')
