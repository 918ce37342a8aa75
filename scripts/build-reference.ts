// Writes the manual of the configuration and the list of metrics from what they are about.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configurationReference } from './configuration-reference.ts'
import type { JsonSchema } from './configuration-reference.ts'
import { metricsReference } from './metrics-reference.ts'
import { readMetrics } from './read-metrics.ts'

const root = join(import.meta.dirname, '..')
const schema = JSON.parse(readFileSync(join(root, 'schema', 'velum.schema.json'), 'utf8')) as JsonSchema
writeFileSync(join(root, 'docs', 'configuration.md'), configurationReference(schema))
writeFileSync(join(root, 'docs', 'metrics.md'), metricsReference(readMetrics(root)))
