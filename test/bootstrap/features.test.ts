import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseFeatures } from '../../src/bootstrap/features.ts'
import { windowOptions } from '../../src/bootstrap/presets.ts'
import type { Catalogue } from '../../src/examon/catalogue.ts'
import { featureNames } from '../../src/windows/schema.ts'
import { folder, withHistory, write } from '../history/parquet.ts'
import { training } from './machine.ts'

const samples = await write(
  folder(),
  'n1.parquet',
  "SELECT make_timestamp_ms(1767225600000 + i * 60000) AS timestamp, 'n1' AS node, i AS p0_core0_temp, i + 1 AS p0_core1_temp, 2 * i AS ambient, 7 AS boottime FROM range(90) t(i)",
)
const windows = await write(
  folder(),
  'n1.parquet',
  'SELECT make_timestamp_ms(1767225600000 + i * 600000) AS timestamp, 1.0 * i AS power_avg, 2.0 AS power_std, 3.0 AS power_min, 4.0 AS power_max, i AS boottime_avg, i AS boottime_std, i AS boottime_min, i AS boottime_max, 0 AS value FROM range(9) t(i)',
)
const CATALOGUE: Catalogue = {
  site: 'Test',
  metrics: [
    { name: 'core_temp', sensors: ['p0_core*_temp'], unit: '°C', periodSeconds: 20, plugin: 'ipmi' },
    { name: 'fan', sensors: ['fan'], unit: 'RPM', periodSeconds: 20, plugin: 'ipmi' },
  ],
}

const choose = (file: string, catalogue: Catalogue | null, changes = {}) =>
  withHistory([file], async (history) => chooseFeatures(history, catalogue, windowOptions(training(changes))))

test('without a catalogue every sensor but the boot time is a metric; spreads get the logarithm', async () => {
  const schema = await choose(samples, null, {
    statistics: ['avg', 'std'],
    window: 1200,
    every: 600,
    ddof: 0,
  })
  assert.deepEqual(featureNames(schema), [
    'avg:p0_core0_temp',
    'std:p0_core0_temp',
    'avg:p0_core1_temp',
    'std:p0_core1_temp',
    'avg:ambient',
    'std:ambient',
  ])
  assert.deepEqual(schema.transforms, ['none', 'log1p', 'none', 'log1p', 'none', 'log1p'])
  assert.deepEqual([schema.lengthSeconds, schema.everySeconds, schema.ddof], [1200, 600, 0])
})

test('the catalogue pools and chooses', async () => {
  const { metrics } = await choose(samples, CATALOGUE)
  assert.deepEqual(metrics, [
    { name: 'core_temp', sensors: ['p0_core0_temp', 'p0_core1_temp'], expectedSamples: null },
  ])
})

test('the report takes every sensor as it is, and no logarithm', async () => {
  const schema = await choose(samples, CATALOGUE, { preset: 'report' })
  assert.deepEqual(
    schema.metrics.map(({ name }) => name),
    ['p0_core0_temp', 'p0_core1_temp', 'ambient', 'boottime'],
  )
  assert.equal(schema.transforms.length, 16)
  assert.ok(schema.transforms.every((transform) => transform === 'none'))
})

test('finished windows fix statistics, ddof and length, and can not be pooled', async () => {
  const schema = await choose(windows, CATALOGUE, { window: 1200, every: 300, ddof: 1 })
  assert.deepEqual(
    [schema.lengthSeconds, schema.everySeconds, schema.ddof, schema.statistics.toSorted()],
    [600, 600, 0, ['avg', 'max', 'min', 'std']],
  )
  assert.deepEqual(
    schema.metrics.map(({ sensors }) => sensors),
    [['power']],
  )
})
