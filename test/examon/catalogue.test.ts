import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadCatalogue, matchesSensor, poolSensors } from '../../src/examon/catalogue.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { SENSORS } from '../../src/simulator/sensors.ts'

const MARCONI100 = fileURLToPath(new URL('../../config/marconi100.catalogue.yaml', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'catalogue-'))
after(() => rmSync(folder, { recursive: true }))

function write(text: string): string {
  const file = join(folder, 'site.yaml')
  writeFileSync(file, text)
  return file
}

test('the catalogue of Marconi-100 covers the simulated machine, core temperatures pooled', () => {
  const catalogue = loadCatalogue(MARCONI100)
  assert.equal(catalogue.site, 'marconi100')
  assert.equal(catalogue.metrics.length, 87)
  const machine = new Machine({ nodes: 1, seed: 1, startMs: 0, faults: [] })
  const [node] = machine.nodes
  const pooled = poolSensors(catalogue, node?.sensors ?? [])
  // 115 sensors of a node, of which 32 core temperatures make two pools.
  assert.equal(pooled.length, 115 - 32 + 2)
  assert.equal(pooled.find((metric) => metric.name === 'p0_core_temp')?.sensors.length, 16)
  const all = poolSensors(catalogue, machine.sensors)
  assert.equal(all.find((metric) => metric.name === 'p1_core_temp')?.sensors.length, 24)
  assert.deepEqual(all.flatMap((metric) => metric.sensors).sort(), [...machine.sensors].sort())
})

test('units, periods and plugins agree with the simulator', () => {
  const metrics = loadCatalogue(MARCONI100).metrics
  for (const sensor of SENSORS) {
    const metric = metrics.find((m) => m.sensors.some((pattern) => matchesSensor(pattern, sensor.name)))
    assert.deepEqual(
      [metric?.unit, metric?.periodSeconds, metric?.plugin],
      [sensor.unit, sensor.periodSeconds, sensor.plugin],
      sensor.name,
    )
  }
})

test('a star stands for digits, at least one, and for nothing else', () => {
  assert.ok(matchesSensor('p0_core*_temp', 'p0_core0_temp'))
  assert.ok(matchesSensor('p0_core*_temp', 'p0_core23_temp'))
  assert.ok(!matchesSensor('p0_core*_temp', 'p0_core_temp'))
  assert.ok(!matchesSensor('p0_core*_temp', 'p0_coreX_temp'))
  assert.ok(!matchesSensor('p0_core*_temp', 'xp0_core1_temp'))
  assert.ok(matchesSensor('fan*_*', 'fan3_1'))
  assert.ok(matchesSensor('a.b', 'a.b'))
  assert.ok(!matchesSensor('a.*', 'ab1'))
})

test('sensors keep their order, strangers and empty metrics are left out', () => {
  const file = write(`site: s
metrics:
  - { name: t, unit: degC, period: 20s, plugin: p, sensors: ['t*', extra] }
  - { name: gone, unit: W, period: 20s, plugin: p }
  - { name: w, unit: W, period: 1m, plugin: p }
`)
  assert.deepEqual(poolSensors(loadCatalogue(file), ['w', 'extra', 't10', 'stranger', 't2']), [
    { name: 't', sensors: ['extra', 't10', 't2'] },
    { name: 'w', sensors: ['w'] },
  ])
})

test('what is wrong is named with file, line and column', () => {
  const good = `site: s
metrics:
  - name: a
    unit: W
    period: 20s
    plugin: p
`
  const cases: [text: string, message: RegExp][] = [
    [good.replace('period: 20s', 'period: 20'), /site\.yaml:5:13: metrics\[0\]\.period: expected a duration/],
    [
      good.replace('period', 'periode'),
      /site\.yaml:5:5: unknown key metrics\[0\]\.periode; did you mean "period"\?/,
    ],
    [good.replace('    plugin: p\n', ''), /site\.yaml:3:5: metrics\[0\]\.plugin is missing/],
    ['site: s\nmetrics: []\n', /site\.yaml:2:10: metrics: expected a list of at least 1/],
    [`${good}    sensors: []\n`, /site\.yaml:7:14: metrics\[0\]\.sensors: expected a list of at least 1/],
    [
      `${good}  - { name: a, unit: W, period: 1m, plugin: p }\n`,
      /site\.yaml:7:13: metrics\[1\]\.name: a is also metrics\[0\]/,
    ],
    [
      `${good}  - { name: b, unit: W, period: 1m, plugin: p, sensors: [a] }\n`,
      /site\.yaml:7:5: metrics\[1\]: sensor a already belongs to metric a/,
    ],
    ['site: [s\n', /site\.yaml:\d+:\d+: /],
  ]
  for (const [text, message] of cases) assert.throws(() => loadCatalogue(write(text)), message)
  assert.throws(() => loadCatalogue(join(folder, 'none.yaml')), /none\.yaml: no such file/)
})
