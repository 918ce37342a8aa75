// Writes the published JSON Schema from the vocabulary in src/config/schema, and the manual from that.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatewayJsonSchema } from '../src/config/json-schema.ts'

const file = join(import.meta.dirname, '..', 'schema', 'velum.schema.json')
writeFileSync(file, `${JSON.stringify(gatewayJsonSchema(), null, 2)}\n`)
await import('./build-reference.ts')
