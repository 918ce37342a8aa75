import { isLoopbackHost } from '../lib/loopback.ts'
import type { CheckContext } from './check-context.ts'
import type { TelemetryModel } from './model.ts'
import { telemetrySchema } from './schema/telemetry.ts'

/** Kong's default, and what a gateway in front of everything can afford: it is where most traces begin. */
const defaultSample = 0.01
/** Fields that the export sets itself, or that belong to a connection. */
const ownFields = new Set(['host', 'content-type', 'content-length', 'content-encoding', 'transfer-encoding', 'connection'])

/** Where traces go; undefined, with findings, where they cannot go anywhere. */
export function checkTelemetry(context: CheckContext, gateway: string): TelemetryModel | undefined {
  const { reading, findings } = context
  if (reading.at(['telemetry']) === undefined) return undefined
  const read = reading.readFields(telemetrySchema, ['telemetry'])
  if (read === undefined) return undefined
  const { otlp, sample = defaultSample, headers = {}, serviceName = gateway } = read
  for (const name of Object.keys(headers)) {
    if (ownFields.has(name.toLowerCase()))
      findings.error(['telemetry', 'headers', name], `${name} is set by the export itself`, 'take it out')
  }
  const url = otlp === undefined ? undefined : collectorUrl(context, otlp, Object.keys(headers).length > 0)
  return url === undefined ? undefined : { url, sample, secretHeaders: headers, serviceName }
}

function collectorUrl({ reading, findings }: CheckContext, text: string, hasSecrets: boolean): string | undefined {
  const path = ['telemetry', 'otlp']
  const url = URL.parse(text)
  const shown = reading.show(text, path)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    findings.error(path, `${shown} is not a web address`, 'write an address such as http://127.0.0.1:4318')
    return undefined
  }
  if (url.username !== '' || url.password !== '') {
    findings.error(path, 'the address holds a user name or password', 'send them as a field of telemetry.headers')
    return undefined
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname) && hasSecrets)
    findings.warn(path, `${shown} is sent telemetry.headers without TLS`, 'use https, so that nobody on the way reads them')
  if (url.pathname === '/') url.pathname = '/v1/traces'
  return url.href
}
