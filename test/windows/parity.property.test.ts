/** The stream's panes and history's SQL give the same windows, whatever the order in which samples arrive. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Series } from '../../src/examon/sample.ts'
import { openHistory } from '../../src/history/history.ts'
import { Assembler } from '../../src/windows/assembler.ts'
import { defaultTransforms, type FeatureSchema, featureCount } from '../../src/windows/schema.ts'
import { folder as newFolder, write } from '../history/parquet.ts'

const folder = newFolder()

const ORIGIN = Date.parse('2020-03-09T00:00:00Z')
const NODES = ['n1', 'n2']
const SENSORS = ['power', 'core0', 'core1']

function schema(everySeconds: number, ddof: 0 | 1): FeatureSchema {
  const metrics = [
    { name: 'power', sensors: ['power'], expectedSamples: null },
    { name: 'core', sensors: ['core0', 'core1'], expectedSamples: null },
  ]
  const statistics = ['avg', 'var', 'std', 'max', 'min'] as const
  return {
    lengthSeconds: 900,
    everySeconds,
    statistics: [...statistics],
    ddof,
    metrics,
    transforms: defaultTransforms({ metrics, statistics: [...statistics] }),
  }
}

/** A row a node and minute; a sensor may be missing. Constants and large offsets are as likely as noise. */
const value = fc.option(
  fc.oneof(
    fc.constant(3_586_335),
    fc.integer({ min: 20, max: 90 }),
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  ),
  { nil: null, freq: 4 },
)
const rows = fc.uniqueArray(
  fc.record({
    node: fc.integer({ min: 0, max: 1 }),
    minute: fc.integer({ min: 0, max: 89 }),
    values: fc.tuple(value, value, value),
  }),
  { minLength: 1, maxLength: 150, selector: ({ node, minute }) => `${node} ${minute}` },
)

let run = 0

function rowsQuery(drawn: readonly { node: number; minute: number; values: (number | null)[] }[]): string {
  const cells = drawn.map(({ node, minute, values }) => {
    const numbers = values.map((v) => (v === null ? 'NULL::DOUBLE' : `${v}::DOUBLE`)).join(', ')
    return `(${ORIGIN + minute * 60_000}, '${NODES[node]}', ${numbers})`
  })
  return `FROM (VALUES ${cells.join(', ')}) AS rows(timestamp, node, ${SENSORS.join(', ')})`
}

test('windows of the stream equal windows of history to 1e-9', async () => {
  await fc.assert(
    fc.asyncProperty(
      rows,
      fc.constantFrom(900, 300),
      fc.constantFrom<0 | 1>(0, 1),
      fc.infiniteStream(fc.integer({ min: 0, max: 1_000_000 })),
      async (drawn, every, ddof, luck) => {
        fc.pre(drawn.some(({ values }) => values.some((v) => v !== null)))
        const wanted = schema(every, ddof)
        const file = await write(folder, `${run++}.parquet`, rowsQuery(drawn))
        const expected = await fromHistory(file, wanted)
        const shuffled = drawn.map((row) => [luck.next().value!, row] as const).sort((a, b) => a[0] - b[0])
        const found = fromStream(
          shuffled.map(([, row]) => row),
          wanted,
        )
        assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort())
        for (const [key, windowValues] of expected) compare(key, windowValues, found.get(key)!)
      },
    ),
    { numRuns: 60 },
  )
})

function compare(key: string, expected: number[], found: number[]): void {
  expected.forEach((want, f) => {
    const got = found[f]!
    if (Number.isNaN(want)) assert.ok(Number.isNaN(got), `${key} feature ${f}: ${got}, history has none`)
    // Variances are of the square of the values' size.
    else
      assert.ok(
        Math.abs(got - want) <= 1e-9 * Math.max(1, Math.abs(want), 1e3),
        `${key} feature ${f}: ${got}, history ${want}`,
      )
  })
}

async function fromHistory(file: string, wanted: FeatureSchema): Promise<Map<string, number[]>> {
  const history = await openHistory([file])
  const d = featureCount(wanted)
  const out = new Map<string, number[]>()
  try {
    for await (const block of history.windows(wanted)) {
      for (let row = 0; row < block.rows; row++) {
        const key = `${history.nodes[block.node[row]!]} ${block.start[row]}`
        out.set(key, Array.from(block.values.subarray(row * d, (row + 1) * d)))
      }
    }
  } finally {
    history.close()
  }
  return out
}

function fromStream(
  drawn: readonly { node: number; minute: number; values: (number | null)[] }[],
  wanted: FeatureSchema,
): Map<string, number[]> {
  const assembler = new Assembler(wanted)
  const series = NODES.flatMap((node, n) =>
    SENSORS.map((sensor, s): Series => ({ id: n * SENSORS.length + s, node, rack: null, sensor })),
  )
  let offset = 0
  for (const { node, minute, values } of drawn) {
    values.forEach((v, s) => {
      if (v === null) return
      const refusal = assembler.add(
        series[node * SENSORS.length + s]!,
        v,
        ORIGIN + minute * 60_000,
        0,
        offset++,
      )
      assert.equal(refusal, null)
    })
  }
  const d = featureCount(wanted)
  const out = new Map<string, number[]>()
  for (const { startMs, block } of assembler.close(Number.MAX_SAFE_INTEGER)) {
    for (let row = 0; row < block.rows; row++) {
      const values = Array.from(block.values.subarray(row * d, (row + 1) * d))
      // History leaves out windows in which a node has nothing.
      if (values.some((v) => !Number.isNaN(v))) out.set(`${assembler.nodes[row]} ${startMs}`, values)
    }
  }
  return out
}
