/** The dashboards: sound by the rules below, and every query in them answered with data by a real Prometheus that scrapes the daemon's page. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import pino from 'pino'
import { startHttp } from '../../src/telemetry/http.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { feedMachine, nodeName } from '../status/machine.ts'
import { until } from '../support/kafka.ts'
import { type Server, skipWithout, startPrometheus } from '../support/monitoring.ts'

interface Target {
  refId: string
  expr: string
}
interface Panel {
  id: number
  type: string
  title: string
  description: string
  datasource: { type: string; uid: string }
  gridPos: { x: number; y: number; w: number; h: number }
  targets: (Target & { datasource: { uid: string } })[]
}
interface Dashboard {
  uid: string
  title: string
  description: string
  templating: { list: { name: string; type: string; definition?: string }[] }
  annotations: { list: { expr: string }[] }
  panels: Panel[]
}

const FOLDER = new URL('../../deploy/grafana/dashboards/', import.meta.url).pathname
const dashboards = readdirSync(FOLDER).map(
  (name) => [name, JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Dashboard] as const,
)
/** Columns of Grafana's grid. */
const COLUMNS = 24
const NODES = 100
const SCRAPE_SECONDS = 1
/** What Grafana puts in for its own variables, with each of ours as `All` or as one node. */
const VARIABLES: Record<string, string> = {
  $__rate_interval: '5s',
  $job: '.*',
  $instance: '.*',
  $rack: '.*',
  $node: nodeName(0),
}

function filledIn(expr: string): string {
  return Object.entries(VARIABLES).reduce((text, [name, value]) => text.replaceAll(name, value), expr)
}

for (const [name, dashboard] of dashboards) {
  test(`${name}: panels have words, their place and the chosen data source`, () => {
    assert.equal(name, `${dashboard.uid}.json`)
    assert.ok(dashboard.title.startsWith('examon-dec: ') && dashboard.description.length > 20)
    const names = dashboard.templating.list.map((variable) => variable.name)
    assert.equal(names[0], 'datasource')
    const taken = new Set<string>()
    const ids = new Set(dashboard.panels.map(({ id }) => id))
    assert.equal(ids.size, dashboard.panels.length)
    for (const { title, description, datasource, gridPos, targets } of dashboard.panels) {
      assert.ok(title.length > 2 && description.length > 10, title)
      assert.ok(targets.length > 0, title)
      for (const { uid } of [datasource, ...targets.map((target) => target.datasource)])
        assert.equal(uid, `\${datasource}`, title)
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title)
      const { x, y, w, h } = gridPos
      assert.ok(x + w <= COLUMNS, title)
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          assert.ok(!taken.has(`${column} ${row}`), `${title} lies on another panel`)
          taken.add(`${column} ${row}`)
        }
      }
      for (const { expr } of targets) {
        for (const [, variable = ''] of expr.matchAll(/\$(\w+)/g))
          assert.ok(names.includes(variable) || variable === '__rate_interval', `${title}: $${variable}`)
        assert.match(expr, /job=~"\$job", instance=~"\$instance"/, title)
      }
    }
  })
}

describe('queries', { skip: skipWithout('prometheus', 'the dashboards are') }, () => {
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '1' })
  let http: Awaited<ReturnType<typeof startHttp>> | null = null
  let prometheus: Server | null = null
  let url = ''
  /** Counts that only grow while something happens. */
  let beat: NodeJS.Timeout | undefined
  after(async () => {
    clearInterval(beat)
    await prometheus?.stop()
    await http?.close()
  })
  before(async () => {
    feedMachine(telemetry, NODES, 2)
    telemetry.modelLoaded({
      ...{
        version: 'v',
        path: 'p',
        trainedToMs: Date.now(),
        nodes: NODES,
        metrics: 1,
        features: 1,
        centres: 1,
      },
    })
    telemetry.watermark(Date.now())
    telemetry.lag([{ partition: 0, position: 1, end: 5 }])
    beat = setInterval(() => {
      telemetry.recordsRead(10)
      telemetry.samplesTaken(9)
      telemetry.scored(5, 0.01)
      telemetry.clipped(1, 100)
      telemetry.closeToFlag(0.2)
      telemetry.sinkWrote('kafka', 5, 0, 0.02)
      telemetry.sinkFailed('kafka', new Error('full'))
      telemetry.commitDone(0.01)
      telemetry.sourceEvent('rejoin', 'x')
    }, 200)
    http = await startHttp({ host: '127.0.0.1', port: 0, telemetry })
    prometheus = await startPrometheus(`global: {scrape_interval: ${SCRAPE_SECONDS}s}
scrape_configs: [{job_name: examon-dec, static_configs: [{targets: ['${new URL(http.url).host}']}]}]
`)
    url = prometheus.url
    // Several scrapes, so that rates are there.
    await until(
      async () => (await ask('count_over_time(up[1m]) > 4').catch(() => [])).length > 0,
      'five scrapes',
    )
  })

  async function ask(query: string): Promise<unknown[]> {
    const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`)
    const answer = (await response.json()) as { status: string; error?: string; data: { result: unknown[] } }
    assert.equal(answer.status, 'success', `${query}: ${answer.error}`)
    return answer.data.result
  }

  for (const [name, { panels, templating, annotations }] of dashboards) {
    for (const { title, targets } of panels)
      test(`${name}, ${title}: every query returns data`, async () => {
        for (const { expr } of targets) assert.ok((await ask(filledIn(expr))).length > 0, filledIn(expr))
      })

    test(`${name}: every variable finds values, and the annotation is a query`, async () => {
      for (const { name: variable, type, definition = '' } of templating.list) {
        if (type !== 'query') continue
        const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? []
        const query = new URLSearchParams({ 'match[]': filledIn(selector) })
        const response = await fetch(`${url}/api/v1/label/${label}/values?${query}`)
        assert.ok(((await response.json()) as { data: string[] }).data.length > 0, variable)
      }
      for (const { expr } of annotations.list) await ask(filledIn(expr))
    })
  }
})
