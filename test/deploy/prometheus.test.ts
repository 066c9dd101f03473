/** Alert rules: sound, each quiet, firing and resolved as promtool sees it, on metrics that exist, with a page each. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { createMetrics } from '../../src/telemetry/metrics.ts'

const path = (name: string): string => new URL(name, import.meta.url).pathname
const RULES = path('../../deploy/prometheus/examon-dec.rules.yml')
const TESTS = path('rules.test.yml')
const RUNBOOK = path('../../docs/runbook.md')

interface Rule {
  alert?: string
  record?: string
  expr: string
  labels?: { severity: string }
  annotations?: { summary: string; description: string; runbook: string }
}
const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
)
const alerts = rules.filter((rule) => rule.alert !== undefined)

const promtool = spawnSync('promtool', ['--version']).status === 0
if (!promtool && process.env.CI === 'true') throw new Error('no promtool: the alert rules are not checked')
const skip = promtool ? false : 'NO PROMTOOL: THE ALERT RULES ARE NOT CHECKED'

test('promtool takes the rules', { skip }, () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
})

test('each alert is quiet, fires and resolves', { skip }, () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', TESTS], { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  const tried = (parse(readFileSync(TESTS, 'utf8')) as { tests: { name: string }[] }).tests.map(
    ({ name }) => name,
  )
  for (const { alert = '' } of alerts) assert.ok(tried.includes(alert), `${alert} has a test`)
})

test('each alert says how bad it is, what it is about and where to read on', () => {
  const pages = readFileSync(RUNBOOK, 'utf8').match(/^## .+$/gm) ?? []
  assert.deepEqual(
    pages.map((line) => line.slice(3)),
    alerts.map(({ alert }) => alert),
    'a page an alert, in their order',
  )
  for (const { alert = '', labels, annotations } of alerts) {
    assert.match(labels?.severity ?? '', /^(warning|critical)$/)
    assert.ok((annotations?.summary ?? '').length > 10 && (annotations?.description ?? '').length > 10)
    assert.equal(annotations?.runbook, `docs/runbook.md#${alert.toLowerCase()}`)
  }
})

test('every metric in the rules is one that the daemon has', async () => {
  const known = (await createMetrics('test').registry.getMetricsAsJSON()).map(({ name }) => name)
  const recorded = rules.map(({ record }) => record)
  for (const { expr } of rules) {
    for (const name of expr.match(/(?:\w+:)?\bexamon_dec_\w+(?::\w+)?/g) ?? []) {
      const isKnown = recorded.includes(name) || known.includes(name)
      assert.ok(isKnown, `${name} in ${expr}`)
    }
  }
})
