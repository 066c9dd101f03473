import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Series } from '../../src/examon/sample.ts'
import { Assembler } from '../../src/windows/assembler.ts'
import type { FeatureSchema } from '../../src/windows/schema.ts'

const LENGTH = 900
const MINUTE = 60_000
const WINDOW = LENGTH * 1000
/** A multiple of the window. */
const ORIGIN = Date.parse('2020-03-09T00:00:00Z')

function assembler(everySeconds = LENGTH): Assembler {
  const schema: FeatureSchema = {
    lengthSeconds: LENGTH,
    everySeconds,
    statistics: ['avg', 'var'],
    ddof: 1,
    metrics: [{ name: 'power', sensors: ['power'], expectedSamples: null }],
    transforms: ['none', 'log1p'],
  }
  return new Assembler(schema)
}

const series = (id: number, node: string, sensor = 'power'): Series => ({ id, node, rack: null, sensor })
const A = series(0, 'a')
const B = series(1, 'b')

test('a window closes at the watermark, not before', () => {
  const windows = assembler()
  windows.add(A, 10, ORIGIN + MINUTE, 0, 0)
  assert.deepEqual(windows.close(ORIGIN + WINDOW - 1), [])
  const [closed] = windows.close(ORIGIN + WINDOW)
  assert.equal(closed?.startMs, ORIGIN)
  assert.deepEqual([...closed!.block.values], [10, 0])
})

test('a late sample, a repeated one and one of no metric are refused, each by name', () => {
  const windows = assembler()
  assert.equal(windows.add(A, 1, ORIGIN + WINDOW + MINUTE, 0, 0), null)
  assert.equal(windows.add(A, 2, ORIGIN + WINDOW + MINUTE, 0, 1), 'duplicate')
  assert.equal(windows.add(series(2, 'a', 'other'), 1, ORIGIN + WINDOW + MINUTE, 0, 2), 'unknown_metric')
  windows.close(ORIGIN + 2 * WINDOW)
  assert.equal(windows.add(A, 1, ORIGIN + WINDOW + 2 * MINUTE, 0, 3), 'late')
})

test('a series that never changes has exactly zero variance', () => {
  const windows = assembler()
  for (let i = 0; i < 15; i++) windows.add(A, 0.1 + 0.2, ORIGIN + i * MINUTE, 0, i)
  assert.equal(windows.close(ORIGIN + WINDOW)[0]?.block.values[1], 0)
})

test('every known node has a row, and windows in which nobody has a sample are passed over', () => {
  const windows = assembler()
  windows.add(A, 1, ORIGIN, 0, 0)
  windows.add(B, 2, ORIGIN + 4 * WINDOW, 0, 1)
  const closed = windows.close(ORIGIN + 5 * WINDOW)
  assert.deepEqual(
    closed.map(({ startMs }) => (startMs - ORIGIN) / WINDOW),
    [0, 4],
  )
  assert.deepEqual(
    closed.map(({ block }) => [...block.counts]),
    [
      [1, 0],
      [0, 1],
    ],
  )
})

test('a restart must read again from the oldest sample of an open window, by partition', () => {
  const windows = assembler(300)
  windows.add(A, 1, ORIGIN + MINUTE, 0, 100)
  windows.add(B, 1, ORIGIN + 6 * MINUTE, 1, 7)
  windows.add(A, 1, ORIGIN + 11 * MINUTE, 0, 180)
  assert.deepEqual(
    windows.neededOffsets(),
    new Map([
      [0, 100],
      [1, 7],
    ]),
  )
  windows.close(ORIGIN + WINDOW)
  // The window from minute 5 is still open, the pane of minute 0 is not needed any more.
  assert.deepEqual(
    windows.neededOffsets(),
    new Map([
      [0, 180],
      [1, 7],
    ]),
  )
})

test('while the input pauses the clock closes windows, and what follows the pause is not late for that', () => {
  const windows = assembler()
  windows.add(A, 1, ORIGIN + MINUTE, 0, 0)
  const years = ORIGIN + 1000 * 86_400_000
  assert.equal(windows.close(years).length, 1)
  assert.equal(windows.add(A, 2, ORIGIN + WINDOW + MINUTE, 0, 1), null)
  assert.equal(windows.close(years)[0]?.startMs, ORIGIN + WINDOW)
})

test('another boot time marks the window in which it shows', () => {
  const windows = assembler()
  const boot = series(3, 'a', 'boottime')
  const booted = ORIGIN / 1000
  windows.add(A, 1, ORIGIN, 0, 0)
  windows.add(boot, booted - 1000, ORIGIN, 0, 1)
  windows.add(boot, booted - 990, ORIGIN + MINUTE, 0, 2) // a clock that drifts
  assert.equal(windows.close(ORIGIN + WINDOW)[0]?.rebooted[0], 0)
  windows.add(A, 1, ORIGIN + WINDOW, 0, 3)
  windows.add(boot, booted + 900, ORIGIN + WINDOW + MINUTE, 0, 4)
  assert.equal(windows.close(ORIGIN + 2 * WINDOW)[0]?.rebooted[0], 1)
})

test('a length that is no multiple of every is refused', () => {
  assert.throws(() => assembler(400), /window length 900 s is no multiple of every = 400 s/)
})
