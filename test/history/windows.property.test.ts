import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WindowRequest } from '../../src/history/types.ts'
import { folder, type Row, rows, withHistory, write } from './parquet.ts'
import { referenceWindows, type Sample } from './reference.ts'

const BASE_MS = Date.UTC(2020, 2, 9)
const SENSORS = ['p0', 'p1', 'q'] as const
/** Relative to the size of the values. */
const TOLERANCE = 1e-9
const RUNS = 25

const value = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -1e6, max: 1e6, noNaN: true }) },
  { weight: 3, arbitrary: fc.constantFrom(0.1, 0.2, 3) },
  { weight: 1, arbitrary: fc.constantFrom(null, Number.NaN, Number.POSITIVE_INFINITY) },
)
const sample: fc.Arbitrary<Sample> = fc.record({
  node: fc.constantFrom('n1', 'n2', 'm'),
  timeMs: fc.integer({ min: 0, max: 3_600_000 }).map((ms) => BASE_MS + ms),
  values: fc.record({ p0: value, p1: value, q: value }),
  label: fc.constantFrom(0, 1, null),
})
const asked: fc.Arbitrary<WindowRequest> = fc.record({
  lengthSeconds: fc.constantFrom(300, 900, 1000),
  everySeconds: fc.constantFrom(300, 900, 420),
  statistics: fc.shuffledSubarray(['avg', 'var', 'std', 'max', 'min'], { minLength: 1 }),
  ddof: fc.constantFrom(0, 1),
  metrics: fc.constant([
    { name: 'p', sensors: ['p0', 'p1'], expectedSamples: null },
    { name: 'q', sensors: ['q'], expectedSamples: null },
  ]),
})

for (const layout of ['wide', 'exadata'] as const) {
  test(`${layout}: windows equal the straightforward computation, in any order of rows`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sample, { minLength: 1, maxLength: 60 }), asked, async (samples, request) => {
        const root = folder()
        if (layout === 'wide') {
          const half = Math.ceil(samples.length / 2)
          await writeWide(root, 'a.parquet', samples.slice(0, half))
          if (samples.length > half) await writeWide(root, 'b.parquet', samples.slice(half))
        } else {
          await writeExadata(root, samples)
        }
        await withHistory([root], async (history) => {
          compare(await rows(history, request, 7), referenceWindows(samples, request))
        })
      }),
      { numRuns: RUNS },
    )
  })
}

async function writeWide(root: string, name: string, samples: readonly Sample[]): Promise<void> {
  const tuples = samples.map(
    (s) =>
      `(${s.timeMs}::BIGINT, '${s.node}', ${SENSORS.map((k) => sql(s.values[k] ?? null)).join(', ')}, ${s.label ?? 'NULL'}::TINYINT)`,
  )
  await write(
    root,
    name,
    `SELECT * FROM (VALUES ${tuples.join(', ')}) v(timestamp, node, ${SENSORS.join(', ')}, label)`,
  )
}

async function writeExadata(root: string, samples: readonly Sample[]): Promise<void> {
  const month = 'year_month=20-03'
  for (const sensor of SENSORS) {
    const tuples = samples.map((s) => `(${s.timeMs}::BIGINT, ${sql(s.values[sensor] ?? null)}, '${s.node}')`)
    await write(
      root,
      `${month}/plugin=ipmi_pub/metric=${sensor}/a_0.parquet`,
      `SELECT * FROM (VALUES ${tuples.join(', ')}) v(timestamp, value, node)`,
    )
  }
  const states = samples.map(
    (s) => `(${s.timeMs}::BIGINT, ${s.label ?? 3}, '${s.node}', 'batchs::client::state')`,
  )
  await write(
    root,
    `${month}/plugin=nagios_pub/metric=state/a_0.parquet`,
    `SELECT * FROM (VALUES ${states.join(', ')}) v(timestamp, value, node, description)`,
  )
}

function sql(value: number | null): string {
  if (value === null) return 'NULL::DOUBLE'
  return Number.isFinite(value) ? `${value}::DOUBLE` : `'${value}'::DOUBLE`
}

function compare(found: readonly Row[], expected: readonly Row[]): void {
  const plain = ({ values: _, ...row }: Row) => row
  assert.deepEqual(found.map(plain), expected.map(plain))
  for (const [i, row] of found.entries()) {
    const other = expected[i]?.values ?? []
    const size = Math.max(1, ...other.filter((v) => !Number.isNaN(v)).map(Math.abs))
    for (const [f, v] of row.values.entries()) {
      const distance = Math.abs(v - (other[f] ?? 0))
      const same = Number.isNaN(v) ? Number.isNaN(other[f]) : distance <= TOLERANCE * size
      assert.ok(same, `${row.node} ${row.start} feature ${f}: ${v} instead of ${other[f]}`)
    }
  }
}
