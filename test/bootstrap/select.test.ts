import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  LEAST_CALIBRATION_WINDOWS,
  LEAST_TRAINING_WINDOWS,
  selectWindows,
} from '../../src/bootstrap/select.ts'
import { WindowStore } from '../../src/windows/store.ts'
import { folder } from '../history/parquet.ts'
import { rowsOfPart } from '../model/support.ts'

const OPTIONS = { holdout: 0.25, skipAnomalous: true, minCoverage: 0.5, plainScaler: false }

/** A store of `rows` windows, one every 15 minutes, with labels and coverage of some changed. */
function select(
  rows: number,
  labels: Record<number, number>,
  thin: Record<number, number>,
  options = OPTIONS,
) {
  const store = new WindowStore(1, 1, folder())
  store.append({
    rows,
    node: new Int32Array(rows),
    start: Float64Array.from({ length: rows }, (_, i) => i * 900_000),
    values: new Float64Array(rows),
    counts: Uint16Array.from({ length: rows }, (_, row) => 100 * (thin[row] ?? 1)),
    label: Int8Array.from({ length: rows }, (_, row) => labels[row] ?? -1),
  })
  try {
    const metrics = [{ name: 'm', sensors: ['m'], expectedSamples: 100 }]
    const { fromMs, toMs, ...selection } = selectWindows(store, metrics, options)
    const [train, calibration] = [rowsOfPart(store, 'train'), rowsOfPart(store, 'calibration')]
    assert.deepEqual([fromMs, toMs], [900_000 * train[0]!, 900_000 * train.at(-1)!])
    assert.deepEqual(
      [selection.train, selection.calibration],
      [train.length, (selection.inSample ? train : calibration).length],
    )
    return { ...selection, train, calibration }
  } finally {
    store.close()
  }
}

test('the end of the span calibrates, nothing serves twice', () => {
  const { train, calibration, inSample, leftOut } = select(101, {}, {})
  // Starts 0 … 100; the boundary is at 75.
  assert.deepEqual([train[0], train.at(-1), train.length], [0, 75, 76])
  assert.deepEqual([calibration[0], calibration.at(-1), calibration.length], [76, 100, 25])
  assert.deepEqual([inSample, leftOut], [false, { anomalous: 0, coverage: 0 }])
})

test('labelled anomalies and thin windows serve neither; unknown and normal labels do', () => {
  const { train, calibration, leftOut } = select(
    101,
    { 3: 1, 4: 0, 80: 1, 81: 1 },
    { 5: 0.49, 6: 0.5, 80: 0.1 },
  )
  assert.deepEqual(leftOut, { anomalous: 3, coverage: 1 })
  assert.deepEqual([...train.slice(0, 6)], [0, 1, 2, 4, 6, 7])
  assert.ok(![...calibration].some((row) => row === 80 || row === 81))
  assert.equal(train.length + calibration.length, 97)
})

test('the span is that of the usable windows', () => {
  const labels = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [81 + i, 1]))
  const { train } = select(101, labels, {})
  assert.equal(train.at(-1), 60) // three quarters of 0 … 80
})

test('without a holdout the training windows calibrate, and the report keeps all', () => {
  const report = { holdout: 0, skipAnomalous: false, minCoverage: 0, plainScaler: true }
  const { train, calibration, inSample, leftOut } = select(60, { 7: 1 }, { 8: 0 }, report)
  assert.equal(train.length, 60)
  assert.equal(calibration.length, 0, 'no window is held out')
  assert.deepEqual([inSample, leftOut], [true, { anomalous: 0, coverage: 0 }])
})

test('the least numbers are enough, one less is not', () => {
  // Of n windows at 0 … n − 1, those up to three quarters of n − 1 train.
  const holdout = (n: number, trained: number) => ({ ...OPTIONS, holdout: 1 - (trained - 0.5) / (n - 1) })
  const n = LEAST_TRAINING_WINDOWS + LEAST_CALIBRATION_WINDOWS
  const enough = select(n, {}, {}, holdout(n, LEAST_TRAINING_WINDOWS))
  assert.deepEqual([enough.train.length, enough.calibration.length], [50, 20])
  assert.throws(
    () => select(n, {}, {}, holdout(n, LEAST_TRAINING_WINDOWS - 1)),
    /^ModelError: 49 windows are left to train on/,
  )
  assert.throws(
    () => select(n, {}, {}, holdout(n, LEAST_TRAINING_WINDOWS + 1)),
    /^ModelError: 19 windows are left to calibrate on/,
  )
  assert.throws(
    () => select(0, {}, {}),
    /^ModelError: no window of the history holds a value: each of the 1 metrics \(m\) is NULL, NaN or infinite/,
  )
})
