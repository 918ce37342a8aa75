import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../core/fault.ts'
import { MainHub, WorkerLink } from './link.ts'
import type { ToMain, ToWorker } from './messages.ts'

/** A hub and links that hand each other clones, as threads would. */
function conversation(workers: number): { hub: MainHub; links: WorkerLink[]; failures: string[] } {
  const failures: string[] = []
  const hub = new MainHub((topic) => void failures.push(topic))
  const links: WorkerLink[] = []
  for (let worker = 0; worker < workers; worker++) {
    const link = new WorkerLink({ post: (message: ToMain) => void hub.receive(structuredClone(message), worker) })
    hub.join(worker, { post: (message: ToWorker) => void link.receive(structuredClone(message)) })
    links.push(link)
  }
  return { hub, links, failures }
}

test('a worker gets the answer to its own question, in whatever order answers come', async () => {
  const { hub, links } = conversation(2)
  const open: ((value: string) => void)[] = []
  hub.answer('echo', (message) => new Promise((resolve) => void open.push((suffix) => resolve(`${String(message)}${suffix}`))))
  const first = links[0].ask('echo', 'a')
  const second = links[1].ask('echo', 'b')
  open[1]('!')
  open[0]('?')
  assert.equal(await first, 'a?')
  assert.equal(await second, 'b!')
})

test('a failed answer crosses with its words, and a Fault with its code', async () => {
  const { hub, links } = conversation(1)
  hub.answer('plain', () => {
    throw new Error('no such thing')
  })
  hub.answer('fault', () => Promise.reject(new Fault('store-down', 'the store is gone')))
  await assert.rejects(links[0].ask('plain', 1), /^Error: no such thing$/)
  await assert.rejects(links[0].ask('fault', 1), { code: 'store-down', message: 'the store is gone' })
})

test('a topic without a handler, and an answer that cannot be cloned, are rejections', async () => {
  const { hub, links } = conversation(1)
  await assert.rejects(links[0].ask('nothing', 1), /nobody answers nothing/)
  hub.answer('function', () => () => 1)
  await assert.rejects(links[0].ask('function', 1), /could not be cloned/)
})

test('main tells all workers, and only those that still hear', () => {
  const { hub, links } = conversation(2)
  const heard: unknown[] = []
  links[0].hear('news', (message) => void heard.push(['first', message]))
  const stop = links[1].hear('news', (message) => void heard.push(['second', message]))
  hub.tellAll('news', 1)
  stop()
  hub.tellAll('news', 2)
  assert.deepEqual(heard, [
    ['first', 1],
    ['second', 1],
    ['first', 2],
  ])
})

test('main hears which worker told it, and a listener that throws harms no other', () => {
  const { hub, links, failures } = conversation(2)
  const heard: unknown[] = []
  hub.hear('count', () => {
    throw new Error('a bug')
  })
  hub.hear('count', (message, worker) => void heard.push([worker, message]))
  links[1].tell('count', 7)
  assert.deepEqual(heard, [[1, 7]])
  assert.deepEqual(failures, ['count'])
})

test('when main is gone, open and further questions are rejected', async () => {
  const { hub, links } = conversation(1)
  hub.answer('slow', () => new Promise(() => {}))
  const open = links[0].ask('slow', 1)
  links[0].close()
  await assert.rejects(open, { code: 'cancelled' })
  await assert.rejects(links[0].ask('slow', 1), { code: 'cancelled' })
})

test('a worker that asks too much at once is told so instead of filling main', async () => {
  const { hub, links } = conversation(1)
  hub.answer('slow', () => new Promise(() => {}))
  const open: Promise<unknown>[] = []
  for (let i = 0; i < 10_000; i++) open.push(links[0].ask('slow', i))
  await assert.rejects(links[0].ask('slow', 1), { code: 'overloaded' })
  links[0].close()
  const results = await Promise.allSettled(open)
  assert.ok(results.every(({ status }) => status === 'rejected'))
})
