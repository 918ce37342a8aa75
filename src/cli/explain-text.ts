import type { RequestDocument } from '../admin/request-endpoints.ts'
import type { ExplainedStep, Explanation } from '../gateway/explanation.ts'
import { oneLine } from './one-line.ts'
import { table } from './table.ts'

/** An explanation for people. */
export function explanationText(told: Explanation): string {
  const { request, route, identity, steps, nearMisses, notes } = told
  const query = request.query === undefined ? '' : `?${request.query}`
  const lines = [
    oneLine(`${request.method} ${request.scheme}://${request.host}${request.path}${query}`),
    `  by listener ${request.listener}, from ${request.address}`,
    route === undefined ? '  no route' : oneLine(`  route ${route.name} (${route.source})${paramText(route.params)}`),
  ]
  if (identity !== undefined) lines.push(oneLine(`  caller ${callerText(identity)}`))
  lines.push('', oneLine(told.summary), '')
  // A policy may have parts that only work on what passes; they say nothing beside those that decide.
  const deciding = new Set(steps.filter(({ decision }) => decision !== 'acts').map(({ policy }) => policy))
  const shown = steps.filter(({ decision, policy }) => decision !== 'acts' || !deciding.has(policy))
  const rows = shown.map((step) => [step.stage, step.policy, decisionText(step), step.source || '-', oneLine(step.words)])
  lines.push(table(['STAGE', 'POLICY', 'DECIDES', 'WHERE', 'WHY'], rows))
  if (nearMisses.length > 0) {
    const misses = nearMisses.map(({ route: name, source, why }) => [name, source, oneLine(why.join('; '))])
    lines.push(table(['OTHER ROUTE', 'WHERE', 'WHY NOT'], misses))
  }
  for (const note of notes) lines.push(`note: ${oneLine(note)}`)
  return `${lines.join('\n').trimEnd()}\n`
}

/** What was decided about a request that was. */
export function requestText(row: RequestDocument): string {
  const { caller } = row
  const query = row.query === undefined ? '' : `?${row.query}`
  const lines = [
    oneLine(`${row.method} ${row.host}${row.path}${query}`),
    `  ${row.at}, ${row.durationMs} ms, by listener ${row.listener}, from ${row.address}`,
    row.route === undefined
      ? '  no route'
      : oneLine(
          `  route ${row.route}${row.service === undefined ? '' : `, to ${row.service} (${row.target}), ${row.attempts} tries`}`,
        ),
  ]
  if (caller !== undefined) lines.push(oneLine(`  caller ${callerText({ ...caller, roles: [], isAssumed: false })}`))
  lines.push('', oneLine(row.summary), '')
  const rows = row.verdicts.map(({ stage, policy, decision, source, words }) => [
    stage,
    policy,
    decision,
    source || '-',
    oneLine(words),
  ])
  if (rows.length > 0) lines.push(table(['STAGE', 'POLICY', 'DECIDED', 'WHERE', 'WHY'], rows))
  return `${lines.join('\n').trimEnd()}\n`
}

function decisionText({ decision, status, isReached }: ExplainedStep): string {
  const code = status === undefined ? '' : ` ${status}`
  const text = decision === 'would-refuse' ? `shadow: would refuse${code}` : `${decision}${code}`
  return isReached ? text : `(${text})`
}

function callerText({
  kind,
  issuer,
  subject,
  tenant,
  client,
  scopes,
  roles,
  isAssumed,
}: NonNullable<Explanation['identity']>): string {
  const facts = [
    `by ${kind}${isAssumed ? ', assumed' : ''}`,
    ...(issuer === '' ? [] : [`of ${issuer}`]),
    ...(tenant === undefined ? [] : [`tenant ${tenant}`]),
    ...(client === undefined ? [] : [`client ${client}`]),
    ...(scopes.length === 0 ? [] : [`scopes ${scopes.join(' ')}`]),
    ...(roles.length === 0 ? [] : [`roles ${roles.join(' ')}`]),
  ]
  return `${subject} (${facts.join('; ')})`
}

function paramText(params: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(params).map(([name, value]) => `${name}=${value}`)
  return pairs.length === 0 ? '' : `, ${pairs.join(', ')}`
}
