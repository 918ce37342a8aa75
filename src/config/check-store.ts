import { parseRedisUrl } from '../stores/redis/redis-url.ts'
import { absolutePath } from './check-context.ts'
import type { CheckContext } from './check-context.ts'
import type { GatewayModel } from './model.ts'
import { gatewaySchema } from './schema/gateway.ts'

const urlRemedy = 'write redis://[user:password@]host[:port][/database]; nodes of a cluster are separated by commas'

/** Where state is kept, and the secrets that what is kept is sealed by. */
export function checkStore(context: CheckContext): Pick<GatewayModel, 'store'> & { readonly secrets: readonly string[] } {
  const { reading, findings } = context
  const store = reading.read(gatewaySchema.shape.store, ['store'])
  const secrets = reading.read(gatewaySchema.shape.secret, ['secret']) ?? []
  // Gateways of one file are processes of their own: each has its own folder.
  const { member } = findings.source
  const usual = member === undefined ? '.velum' : `.velum/${member.name}`
  if (store?.kind !== 'redis') return { store: { kind: 'embedded', path: absolutePath(context, store?.path ?? usual) }, secrets }
  try {
    parseRedisUrl(store.url)
  } catch (thrown) {
    // Its words say nothing of what stands there, which may be a password.
    findings.error(['store', 'url'], (thrown as Error).message, urlRemedy)
  }
  if (reading.at(['secret']) === undefined) {
    findings.error(
      ['store'],
      'the nodes that share this store need one secret, and none is configured',
      'add secret: [process.env.VELUM_SECRET] (at least 32 characters, the same on all nodes)',
    )
  }
  return { store, secrets }
}
