import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../test/support/velum-process.ts'
import type { Away, Episode } from './episode.ts'
import { freePort } from './nodes.ts'
import type { Scene, SceneName } from './scene.ts'
import { slowDown, StoreServer } from './single-store.ts'

/** What is done to a fleet at work, and how it is mended. */
export interface Fault {
  /** How it is called by `--only`. */
  readonly name: string
  readonly scene: SceneName
  readonly done: string
  /** Nodes without a store meanwhile. */
  readonly withoutStore?: readonly number[]
  readonly forgets?: Episode['forgets']
  /** It takes the time it takes, and is over when it has begun. */
  readonly isWhole?: boolean
  prepare?(scene: Scene, t: Cleanup): Promise<void>
  begin(scene: Scene, episode: Episode): Promise<void> | void
  end?(scene: Scene, episode: Episode): Promise<void> | void
}

const everyNode = [0, 1, 2]

function goAway(episode: Episode, node: number, how: Away['how']): Away {
  const away = { node, how, from: performance.now(), to: Infinity }
  episode.away.push(away)
  return away
}

/** Ends and starts one node after the other, each with this launcher. */
async function roll({ nodes }: Scene, episode: Episode, numbers: readonly number[], launcher?: string): Promise<void> {
  for (const number of numbers) {
    const node = nodes[number]
    const away = goAway(episode, number, 'stopped')
    const code = await node.stop()
    if (code !== 0) throw new Error(`node ${number} ended with ${code}: ${node.said}`)
    node.launcher = launcher
    await node.start()
    away.to = performance.now()
    await sleep(300)
  }
}

let replica: StoreServer | undefined
let undo: () => Promise<void>

function slow(name: string, delayMs: number): Fault {
  return {
    name,
    scene: 'single',
    done: `store slow: ${delayMs} ms each way`,
    // The way is built in between: for a moment there is none.
    withoutStore: everyNode,
    async begin({ server }) {
      undo = await slowDown(server!, await freePort('127.0.0.1'), delayMs)
    },
    end: () => undo(),
  }
}

/** All of them, in the order in which they are run; those of one scene share its fleet. */
export const faults: readonly Fault[] = [
  {
    name: 'node-killed',
    scene: 'single',
    done: 'a node killed, started again',
    begin({ nodes }, episode) {
      goAway(episode, 1, 'killed')
      nodes[1].kill('SIGKILL')
    },
    async end({ nodes }, { away }) {
      await nodes[1].start()
      away[0].to = performance.now()
    },
  },
  {
    name: 'node-paused',
    scene: 'single',
    done: 'a node paused, continued',
    begin({ nodes }, episode) {
      goAway(episode, 2, 'paused')
      nodes[2].kill('SIGSTOP')
    },
    end({ nodes }, { away }) {
      nodes[2].kill('SIGCONT')
      away[0].to = performance.now()
    },
  },
  {
    name: 'rolling-restart',
    scene: 'single',
    done: 'all nodes restarted, one by one',
    isWhole: true,
    begin: (scene, episode) => roll(scene, episode, everyNode),
  },
  {
    name: 'store-paused',
    scene: 'single',
    done: 'store paused, continued',
    withoutStore: everyNode,
    begin: ({ server }) => server!.pause(),
    end: ({ server }) => server!.resume(),
  },
  {
    name: 'store-killed',
    scene: 'single',
    done: 'store killed, started with its file',
    withoutStore: everyNode,
    begin: ({ server }) => server!.kill(),
    end: ({ server }) => server!.start(),
  },
  {
    name: 'partition',
    scene: 'single',
    done: 'store partitioned from one node',
    withoutStore: [0],
    begin: ({ links }) => links!.cut(0),
    end: ({ links }) => links!.mend(0),
  },
  slow('store-slow', 3),
  slow('store-very-slow', 400),
  {
    name: 'failover',
    scene: 'single',
    done: 'store killed, its replica promoted',
    withoutStore: everyNode,
    forgets: 'newest',
    async prepare({ server }, t) {
      const { place } = server!
      const port = await freePort('127.0.0.1')
      replica = new StoreServer(t, { ...place, port }, ['--replicaof', '127.0.0.1', String(place.port)])
      await replica.start()
      while (!(await replica.cli('info', 'replication')).includes('master_link_status:up')) await sleep(50)
    },
    async begin(scene) {
      await scene.server!.kill()
    },
    async end(scene) {
      await replica!.takeOver(scene.server!.place.port)
      scene.server = replica
    },
  },
  {
    name: 'restarted-empty',
    scene: 'single',
    done: 'store restarted empty',
    withoutStore: everyNode,
    forgets: 'all',
    isWhole: true,
    async begin({ server }) {
      await server!.kill()
      server!.forget()
      await server!.start()
    },
  },
  {
    name: 'clock-skew',
    scene: 'skewed',
    done: 'clocks at -5 s, 0 and +5 s',
    begin() {},
  },
  {
    name: 'cluster-failover',
    scene: 'cluster',
    done: 'cluster: a master killed, its replica takes over',
    withoutStore: everyNode,
    forgets: 'newest',
    isWhole: true,
    begin: ({ cluster }) => cluster!.killMaster(),
  },
  {
    name: 'two-versions',
    scene: 'versions',
    done: 'update node by node, and one back',
    isWhole: true,
    async begin(scene, episode) {
      await roll(scene, episode, [0, 1])
      await sleep(2000)
      await roll(scene, episode, [2])
      await roll(scene, episode, [0], scene.older)
    },
  },
]
