/** History and stream make the same windows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Series } from '../../src/examon/sample.ts'
import { Assembler } from '../../src/windows/assembler.ts'
import { type FeatureSchema, featureCount, type Statistic } from '../../src/windows/schema.ts'
import { folder, type Row, rows, withHistory, write } from '../history/parquet.ts'

const BASE_MS = Date.UTC(2020, 2, 9)
const SENSORS = ['p0', 'p1', 'q'] as const
/** Relative to the size of the values, squared for variances. */
const TOLERANCE = 1e-9
const RUNS = 40
/** Squares of smaller differences fall below the smallest double, and where they become 0 is a matter of rounding. */
const SMALLEST = 1e-100

const value = fc.oneof(
  // Without -0, which DuckDB does not tell from 0.
  {
    weight: 6,
    arbitrary: fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((v) => (Math.abs(v) < SMALLEST ? 0 : v)),
  },
  { weight: 3, arbitrary: fc.constantFrom(0.1, 0.2, 3) },
  { weight: 2, arbitrary: fc.constant(null) },
)
const sample = fc.record({
  node: fc.constantFrom('n1', 'n2', 'm'),
  timeMs: fc.integer({ min: 0, max: 2 * 3_600_000 }).map((ms) => BASE_MS + ms),
  values: fc.record({ p0: value, p1: value, q: value }),
})
/** In random order; a node has one value a time, as it has on the wire. */
const samples = fc.uniqueArray(sample, {
  selector: ({ node, timeMs }) => `${node} ${timeMs}`,
  minLength: 1,
  maxLength: 80,
})
const windows = fc
  .constantFrom([300, 300], [900, 900], [900, 300], [900, 60], [1000, 250])
  .map(([lengthSeconds = 0, everySeconds = 0]) => ({ lengthSeconds, everySeconds }))
const statistics = fc.shuffledSubarray<Statistic>(['avg', 'var', 'std', 'max', 'min'], { minLength: 1 })

type Sample = typeof sample extends fc.Arbitrary<infer S> ? S : never

test('the same samples give the same windows from parquet and from the stream, in any order of arrival', async () => {
  await fc.assert(
    fc.asyncProperty(
      samples,
      windows,
      statistics,
      fc.constantFrom<0 | 1>(0, 1),
      async (given, times, chosen, ddof) => {
        fc.pre(given.some(({ values }) => SENSORS.some((sensor) => values[sensor] !== null)))
        const schema: FeatureSchema = {
          ...times,
          statistics: chosen,
          ddof,
          metrics: [
            { name: 'p', sensors: ['p0', 'p1'], expectedSamples: null },
            { name: 'q', sensors: ['q'], expectedSamples: null },
          ],
          transforms: chosen.flatMap(() => ['none', 'none'] as const),
        }
        const path = await writeSamples(given)
        const fromHistory = await withHistory([path], (history) => rows(history, schema))
        compare(
          fromStream(given, schema),
          fromHistory,
          schema.statistics,
          sizeOf(given, schema.lengthSeconds),
        )
      },
    ),
    { numRuns: RUNS },
  )
})

async function writeSamples(given: readonly Sample[]): Promise<string> {
  const sql = (v: number | null): string => (v === null ? 'NULL::DOUBLE' : `'${v}'::DOUBLE`)
  const tuples = given.map(
    ({ timeMs, node, values }) =>
      `(${timeMs}::BIGINT, '${node}', ${SENSORS.map((sensor) => sql(values[sensor])).join(', ')})`,
  )
  const query = `SELECT * FROM (VALUES ${tuples.join(', ')}) v(timestamp, node, ${SENSORS.join(', ')})`
  return write(folder(), 'samples.parquet', query)
}

/** Rows without a sample are those of known nodes; history has none of them. */
function fromStream(given: readonly Sample[], schema: FeatureSchema): Row[] {
  const assembler = new Assembler(schema)
  const series = new Map<string, Series>()
  for (const [offset, { node, timeMs, values }] of given.entries()) {
    for (const sensor of SENSORS) {
      const number = values[sensor]
      if (number === null) continue
      const key = `${node} ${sensor}`
      const one = series.get(key) ?? { id: series.size, node, rack: null, sensor }
      series.set(key, one)
      assert.equal(assembler.add(one, number, timeMs, 0, offset), null)
    }
  }
  const [d, metrics] = [featureCount(schema), schema.metrics.length]
  return assembler.close(Number.MAX_SAFE_INTEGER).flatMap(({ block, startMs }) =>
    assembler.nodes
      .map((node, i) => ({
        node,
        start: new Date(startMs).toISOString(),
        label: -1,
        values: [...block.values.slice(i * d, (i + 1) * d)],
        counts: [...block.counts.slice(i * metrics, (i + 1) * metrics)],
      }))
      .filter(({ counts }) => counts.some((count) => count > 0))
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
  )
}

/** The largest magnitude among the samples of a row's window. */
function sizeOf(given: readonly Sample[], lengthSeconds: number): (row: Row) => number {
  return ({ node, start }) => {
    const [from, to] = [Date.parse(start), Date.parse(start) + lengthSeconds * 1000]
    const inside = given.filter((s) => s.node === node && s.timeMs >= from && s.timeMs < to)
    return Math.max(...inside.flatMap((s) => SENSORS.map((sensor) => Math.abs(s.values[sensor] ?? 0))))
  }
}

function compare(
  found: readonly Row[],
  expected: readonly Row[],
  chosen: readonly Statistic[],
  size: (row: Row) => number,
): void {
  const plain = ({ values: _, ...row }: Row) => row
  assert.deepEqual(found.map(plain), expected.map(plain))
  for (const [i, row] of found.entries()) {
    const { node, start, values } = row
    const largest = size(row)
    for (const [f, v] of values.entries()) {
      const other = expected[i]?.values[f] ?? Number.NaN
      const statistic = chosen[f % chosen.length]
      const where = `${node} ${start} ${statistic}: ${v} in the stream, ${other} in history`
      if (statistic === 'max' || statistic === 'min' || Number.isNaN(v)) {
        assert.equal(v, other, where)
        continue
      }
      // Square roots blow up rounding near 0, so deviations are compared as variances.
      const isSpread = statistic !== 'avg'
      const [a, b] = statistic === 'std' ? [v ** 2, other ** 2] : [v, other]
      assert.ok(Math.abs(a - b) <= TOLERANCE * (isSpread ? largest ** 2 : largest), where)
      if (b === 0) assert.equal(a, 0, where)
    }
  }
}
