import { demoScopes, startAuth } from './auth.ts'
import { startBilling } from './billing.ts'
import type { DemoService } from './demo-service.ts'
import { startOrders } from './orders.ts'
import { people } from './people.ts'
import type { Person } from './people.ts'
import { startUsers } from './users.ts'

export type DemoServiceName = 'auth' | 'orders' | 'billing' | 'users'

export interface DemoOptions {
  /** 0: any free port. Default: 7001 to 7004, in the order of the names above. */
  readonly ports?: Partial<Record<DemoServiceName, number>>
}

/** The running services of the demo, all on loopback. */
export interface DemoServices {
  /** A token of the demo user "ada", good for twelve hours. */
  readonly token: string
  /** Who logs in. */
  readonly person: Person
  readonly addresses: Readonly<Record<DemoServiceName, string>>
  close(): Promise<void>
}

const usualPorts: Record<DemoServiceName, number> = { auth: 7001, orders: 7002, billing: 7003, users: 7004 }

/** Starts the four services of the classic picture. Rejects when a port is taken, having stopped what had started. */
export async function startDemoServices(options: DemoOptions = {}): Promise<DemoServices> {
  const ports = { ...usualPorts, ...options.ports }
  const started: DemoService[] = []
  const close = async (): Promise<void> => {
    await Promise.all(started.map((service) => service.close()))
  }
  const keep = <T extends DemoService>(service: T): T => {
    started.push(service)
    return service
  }
  try {
    const auth = keep(await startAuth(ports.auth))
    const orders = keep(await startOrders(ports.orders))
    const billing = keep(await startBilling(ports.billing))
    const users = keep(await startUsers(ports.users))
    const token = await auth.mint('ada', demoScopes, 12 * 3600)
    const person = people.find(({ id }) => id === 'ada')!
    return { token, person, addresses: { auth: auth.url, orders: orders.url, billing: billing.url, users: users.url }, close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}
