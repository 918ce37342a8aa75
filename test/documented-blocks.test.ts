// Every fenced block of the README, the guide and CONTRIBUTING is run or checked here or by the tests named below, or says
// why it is not: ```sh no-run="reason".
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startDemoServices } from '../demo/start-demo-services.ts'
import { main } from '../src/cli/main.ts'
import { readyListeners, runVelum, startVelum, workFolder } from './support/velum-process.ts'
import type { WorkFolder } from './support/velum-process.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/guide/*.md', { cwd: root })]
// The first page makes the log that others replay.
pages.sort((a, b) => Number(b.endsWith('start-here.md')) - Number(a.endsWith('start-here.md')))

interface Block {
  readonly page: string
  readonly line: number
  readonly language: string
  /** Why its commands are not run here; undefined where they are. */
  readonly reason: string | undefined
  readonly text: string
}

function blocksOf(page: string): Block[] {
  const document = read(page)
  return [...document.matchAll(/^```(\w*)(?: no-run="([^"]*)")?\n([\s\S]*?)^```$/gm)].map((found) => ({
    page,
    line: document.slice(0, found.index).split('\n').length,
    language: found[1],
    reason: found[2],
    text: found[3],
  }))
}

const blocks = pages.flatMap(blocksOf)
const placeOf = ({ page, line }: Block): string => `${page}:${line}`
const hasCurl = (): boolean => spawnSync('curl', ['--version']).status === 0
const commandsOf = ({ text }: Block): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

describe('the blocks of the documents', () => {
  it('are of a kind that a test reads, and few are not run', () => {
    for (const page of pages) {
      const fences = read(page).match(/^```/gm)?.length ?? 0
      assert.equal(fences, blocksOf(page).length * 2, `${page}: a fence that cannot be read`)
    }
    // `yaml` by test/guide.test.ts; what is to be replaced, `nginx` and `text`, is of others.
    for (const block of blocks) {
      assert.match(block.language, /^(?:sh|ts|yaml|nginx|text|)$/, placeOf(block))
      if (block.language === 'yaml' || block.language === 'nginx') assert.match(block.page, /^docs\/guide\//, placeOf(block))
      if (block.language === 'text') assert.match(block.page, /migrate-from/, placeOf(block))
    }
    const left = blocks.filter(({ reason }) => reason !== undefined)
    for (const block of left) assert.ok(block.language === 'sh' && block.reason!.length >= 20, `${placeOf(block)}: say why`)
    assert.ok(left.length <= 2, left.map(placeOf).join())
    assert.ok(blocks.length > 30, `${blocks.length} blocks`)
  })

  it('without a language are commands of npm whose scripts are there, or a picture', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    let count = 0
    for (const block of blocks.filter(({ language }) => language === '')) {
      if (/[┌│└]/.test(block.text)) continue
      for (const command of commandsOf(block).flatMap((line) => line.replace(/\s+#.*$/, '').split(' && '))) {
        const [, , name] = /^npm (run )?([\w:-]+)(?: -- [-\w /.*]+)?$/.exec(command) ?? []
        assert.ok(name === 'ci' || (name !== undefined && name in scripts), `${placeOf(block)}: ${command}`)
        count++
      }
    }
    assert.ok(count >= 10, `${count} commands`)
    for (const script of Object.values(scripts))
      for (const [, file] of script.matchAll(/node ([\w/.-]+)/g)) assert.ok(existsSync(join(root, file)), file)
  })

  it('in TypeScript compile', (t) => {
    const folder = workFolder(t)
    const files = blocks.filter(({ language }) => language === 'ts').map(({ text }, i) => folder.write(`block-${i}.ts`, text))
    assert.ok(files.length >= 2, `${files.length} blocks`)
    const typeRoots = [join(root, 'node_modules/@types')]
    const compilerOptions = { noEmit: true, rewriteRelativeImportExtensions: false, typeRoots }
    folder.write('tsconfig.json', JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, files, include: [] }))
    folder.write('package.json', '{ "type": "module" }')
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', folder.path], { encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, stdout)
  })

  it('get a token of the demo as the README says', { skip: hasCurl() ? false : 'there is no curl on this machine' }, async (t) => {
    const services = await startDemoServices({ ports: { auth: 0, orders: 0, billing: 0, users: 0 } })
    t.after(() => services.close())
    const [line] = commandsOf(blocks.find(({ page, language }) => page === 'README.md' && language === 'sh')!)
    const here = line.replace('http://127.0.0.1:7001', services.addresses.auth)
    assert.notEqual(here, line)
    const { stdout } = await promisify(execFile)('sh', ['-c', `${here}\nprintf %s "$TOKEN"`], { timeout: 30_000 })
    assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  it('in shell run', async (t) => {
    const run = new Shell(t)
    let count = 0
    for (const page of pages) {
      for (const [i, block] of blocksOf(page).entries()) {
        // Those of the README are the demo's own, as test/documents.test.ts sees; test/e2e/demo.test.ts runs them.
        if (block.language !== 'sh' || block.reason !== undefined || page === 'README.md') continue
        const config = blocksOf(page)
          .slice(0, i)
          .findLast(({ language }) => language === 'yaml')
        run.enter(page, config?.text)
        for (const command of commandsOf(block)) {
          await run.command(command, placeOf(block))
          count++
        }
      }
    }
    assert.ok(count >= 15, `${count} commands`)
  })
})

/** Runs the lines of the guide, one after the other, each page in a folder of its own. */
class Shell {
  readonly #t: TestContext
  #folder: WorkFolder
  #page = ''
  /** Where `velum init` was. */
  #begun: WorkFolder
  /** What a gateway wrote while it ran. */
  #log = ''
  /** The last key that was made. */
  #key = ''

  constructor(t: TestContext) {
    this.#t = t
    this.#folder = workFolder(t)
    this.#begun = this.#folder
  }

  /** Before a block: a folder for each page, with the configuration that the page has shown last. */
  enter(page: string, config: string | undefined): void {
    // Where `init` was, no second configuration is put beside its own.
    if (page !== this.#page || this.#folder === this.#begun) this.#folder = workFolder(this.#t)
    this.#page = page
    if (config === undefined) this.#begun = this.#folder
    else {
      this.#folder.write('velum.config.yaml', config)
      this.#folder.write('velum.next.yaml', config)
    }
    this.#folder.write('access.log', this.#log)
    cpSync(join(root, 'demo', 'protos'), join(this.#folder.path, 'protos'), { recursive: true })
  }

  async command(line: string, place: string): Promise<void> {
    const words = line.replace(/^npx /, '').split(' ')
    assert.match(line, /^(?:npx )?velum [-\w ./:]+$/, `${place}: a line that needs a shell`)
    const [, name, ...args] = words
    if (name === 'run') return this.#run(args)
    // It runs the tests that init has written; tests cannot be run from within tests, but by a process of their own.
    if (name === 'test') {
      const ended = await runVelum(this.#t, [name, ...args], { folder: this.#begun.path, env: { NODE_TEST_CONTEXT: undefined } })
      assert.equal(ended.code, 0, `${place}: ${line}\n${ended.out}${ended.err}`)
      assert.match(ended.out, /pass(?:ed)? 2|2 pass/, ended.out)
      return
    }
    // Nobody types a password here.
    if (line.startsWith('velum user add')) args.push('--password-stdin')
    const known = args.map((arg) => (arg === 'ID' ? this.#key : arg))
    let out = ''
    const add = (text: string): void => void (out += text)
    const stdin = Readable.from(['correct horse battery'])
    const code = await main([name, ...known], {
      out: add,
      err: add,
      env: { CORP_SECRET: 'a secret of the provider' },
      folder: this.#folder.path,
      stdin,
    })
    // `diff` says by 1 that there is a difference; here is none.
    assert.equal(code, 0, `${place}: ${line}\n${out}`)
    if (name === 'key' && args[0] === 'create') this.#key = /vlm_([0-9A-Za-z]{16})_/.exec(out)![1]
    if (name === 'replay') assert.match(out, /\b1 request/, out)
  }

  /** Runs the gateway at ports that are free, asks it once, and ends it by Ctrl-C. */
  async #run(args: readonly string[]): Promise<void> {
    const file = join(this.#folder.path, 'velum.config.ts')
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/port: \d+/g, 'port: 0'))
    const velum = startVelum(this.#t, ['run', '--workers', '1', ...args], { folder: this.#folder.path })
    const [url] = Object.values(await readyListeners(velum))
    const answer = await fetch(url)
    assert.equal(answer.status, 200, await answer.text())
    velum.kill('SIGINT')
    const { code, out, err } = await velum.ended
    assert.equal(code, 0, err)
    this.#log = out
  }
}
