// What deploy/ holds, as far as it can be judged without a cluster and without an engine for images.
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { runCommand } from '../src/cli/run-command.ts'
import { loadGateway } from '../src/config/load.ts'
import { readMetrics } from '../scripts/read-metrics.ts'
import { workFolder } from './support/velum-process.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const deploy = join(root, 'deploy')
const read = (path: string): string => readFileSync(join(deploy, path), 'utf8')

/** As much of a manifest as is looked at. */
interface Deployment {
  readonly kind: string
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: object
        readonly containers: readonly {
          readonly args: readonly string[]
          readonly ports: readonly { name: string; containerPort: number }[]
          readonly securityContext: object
          readonly startupProbe: object
          readonly readinessProbe: object
          readonly livenessProbe: object
          readonly volumeMounts: object
        }[]
        readonly volumes: readonly { name: string }[]
      }
    }
  }
}

async function findingsOf(t: TestContext, text: string): Promise<unknown> {
  const file = join(workFolder(t).path, 'velum.config.yaml')
  writeFileSync(file, text)
  const env = { VELUM_SECRET: 'a secret that is long enough for all', VELUM_METRICS_TOKEN: 'a token that is long' }
  const { findings } = await loadGateway(file, { env })
  return findings.map(({ path, message }) => ({ path, message }))
}

/** A template of the chart without what only Helm understands. */
function bare(template: string): string {
  return template
    .split('\n')
    .filter((line) => !/^\s*\{\{.*\}\}\s*$/.test(line))
    .join('\n')
    .replaceAll(/"?\{\{[^}]*\}\}(?::\{\{[^}]*\}\})?"?/g, 'filled-in')
}

const seconds = (text: string | undefined): number => Number(/^(\d+)s$/.exec(text ?? '')?.[1])
const after = (words: readonly string[], option: string): string | undefined => words[words.indexOf(option) + 1]

describe('deploy', () => {
  it('holds YAML and JSON that can be read', () => {
    for (const file of globSync('**/*.{yaml,json}', { cwd: deploy, exclude: (name) => name === 'templates' })) {
      const faults = parseAllDocuments(read(file)).flatMap(({ errors }) => errors)
      assert.deepEqual(faults, [], file)
    }
    const { resources } = parse(read('kubernetes/kustomization.yaml')) as { resources: string[] }
    for (const file of resources) assert.equal(parseAllDocuments(read(join('kubernetes', file))).length, 1)
  })

  it('names metrics and labels that exist', () => {
    const metrics = new Map(readMetrics(root).map((metric) => [metric.name, metric]))
    const target = new Set(['instance', 'job', 'le'])
    let count = 0
    for (const file of ['prometheus/alerts.yaml', 'grafana/velum.json']) {
      // Quotes in a JSON text are escaped.
      const text = read(file).replaceAll('\\"', '"')
      for (const { 1: name, 2: matchers, index } of text.matchAll(/\b((?:velum|process)_\w+)(?:\{([^}]*)\})?/g)) {
        count++
        const metric = metrics.get(name) ?? metrics.get(name.replace(/_(?:bucket|sum|count)$/, ''))
        assert.ok(metric !== undefined, `${file}: ${name}`)
        if (metric.name !== name) assert.equal(metric.kind, 'histogram', `${file}: ${name}`)
        for (const [, label] of (matchers ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
          assert.ok(metric.labels.includes(label) || target.has(label), `${file}: ${name}{${label}}`)
        // A sum "by" labels that the metric does not have is one number, and the legend says nothing.
        const by = /\bby \(([^)]*)\) \((?:\w+\()?$/.exec(text.slice(0, index))?.[1]
        for (const label of by?.split(', ') ?? [])
          assert.ok(metric.labels.includes(label) || target.has(label), `${file}: ${name} by ${label}`)
      }
    }
    assert.ok(count > 60, `${count} found`)
  })

  it('configures what passes the check', async (t) => {
    const { data } = parse(read('kubernetes/config-map.yaml')) as { data: Record<string, string> }
    assert.deepEqual(await findingsOf(t, data['velum.config.yaml']), [])
    const { config } = parse(read('helm/velum/values.yaml')) as { config: object }
    assert.deepEqual(await findingsOf(t, stringify(config)), [])
  })

  it('waits for the end of a drain, and uses options that there are', () => {
    const { spec } = (parse(read('kubernetes/deployment.yaml')) as Deployment).spec.template
    const { args } = spec.containers[0]
    for (const word of args.filter((arg) => arg.startsWith('--'))) assert.ok(word.slice(2) in runCommand.options, word)
    const drain = seconds(after(args, '--shutdown-delay')) + seconds(after(args, '--shutdown-deadline'))
    assert.ok(spec.terminationGracePeriodSeconds >= drain + 5, `${spec.terminationGracePeriodSeconds} after ${drain}`)

    const unit = read('systemd/velum.service')
    const words = /^ExecStart=(.*)$/m.exec(unit)![1].split(' ')
    for (const word of words.filter((arg) => arg.startsWith('--'))) assert.ok(word.slice(2) in runCommand.options, word)
    const unitDrain = seconds(after(words, '--shutdown-delay')) + seconds(after(words, '--shutdown-deadline'))
    assert.ok(seconds(/^TimeoutStopSec=(.*)$/m.exec(unit)![1]) >= unitDrain + 5)
  })

  it('has a chart that names only values that it has, and whose pods are those of the manifests', () => {
    const values = parse(read('helm/velum/values.yaml')) as Record<string, unknown>
    const names = new Set([...read('helm/velum/templates/_names.tpl').matchAll(/define "([\w.]+)"/g)].map((found) => found[1]))
    for (const file of globSync('helm/velum/templates/*', { cwd: deploy })) {
      const text = read(file)
      for (const [, path] of text.matchAll(/\.Values\.([\w.]+)/g)) {
        const value = path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], values)
        assert.notEqual(value, undefined, `${file}: .Values.${path}`)
      }
      for (const [, name] of text.matchAll(/include "([\w.]+)"/g)) assert.ok(names.has(name), `${file}: ${name}`)
      const opened = text.match(/\{\{-? ?(?:if|with|range|define) /g)?.length ?? 0
      assert.equal(text.match(/\{\{-? ?end ?-?\}\}/g)?.length ?? 0, opened, `${file}: ends`)
      if (file.endsWith('.yaml')) assert.equal(typeof (parse(bare(text)) as { kind: unknown }).kind, 'string', file)
    }
    const pod = (parse(read('kubernetes/deployment.yaml')) as Deployment).spec.template.spec
    const ofChart = (parse(bare(read('helm/velum/templates/deployment.yaml'))) as Deployment).spec.template.spec
    assert.deepEqual(ofChart.securityContext, pod.securityContext)
    for (const part of ['securityContext', 'startupProbe', 'readinessProbe', 'livenessProbe', 'volumeMounts'] as const)
      assert.deepEqual(ofChart.containers[0][part], pod.containers[0][part], part)
    assert.deepEqual(
      ofChart.volumes.map(({ name }) => name),
      pod.volumes.map(({ name }) => name),
    )
  })

  it('ships images and chart of this version', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    assert.equal((parse(read('helm/velum/Chart.yaml')) as { appVersion: string }).appVersion, version)
    assert.ok(read('kubernetes/deployment.yaml').includes(`image: velum:${version}\n`))
  })

  it('builds an image that is not root, from files that exist, with a launcher that exists', () => {
    const file = read('docker/Dockerfile')
    const last = file.slice(file.lastIndexOf('\nFROM '))
    assert.match(last, /^USER [1-9]\d*:[1-9]\d*$/m)
    assert.match(last, /^HEALTHCHECK /m)
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: { velum: string } }
    assert.ok(last.includes(`"/opt/velum/node_modules/velum/${bin.velum}"`))
    const stages = new Set([...file.matchAll(/^FROM .* AS (\w+)$/gm)].map((found) => found[1]))
    for (const [, stage] of file.matchAll(/--from=(\w+)/g)) assert.ok(stages.has(stage), stage)
    const probe = /CMD (\["node", "-e".*\])$/m.exec(last)![1]
    assert.ok(new Script((JSON.parse(probe) as string[])[2]))
  })
})
