import { Fault } from './fault.ts'
import type { Stores } from './stores.ts'

const absent = (): never => {
  throw new Fault('store-down', 'there is no store here')
}

/** A store that never answers, for what is built without one only to be checked. */
export const absentStores: Stores = {
  kind: 'memory',
  records: { get: absent, create: absent, update: absent, remove: absent, owned: absent, list: absent },
  families: { create: absent, get: absent, rotate: absent, end: absent, owned: absent },
  generations: { of: absent, raise: absent },
  bus: { append: absent, follow: async () => absent() },
  audit: { append: absent, list: absent },
  isUp: false,
  close: async () => undefined,
}
