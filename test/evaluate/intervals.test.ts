import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { drawResamples, interval, RESAMPLES, type Resampling } from '../../src/evaluate/intervals.ts'
import { atThreshold, auroc, averagePrecision, bestF1 } from '../../src/evaluate/metrics.ts'
import { resample } from '../../src/evaluate/resampled.ts'
import { createRandom } from '../../src/model/random.ts'

const DAY = 86_400_000
const EVERY_SECONDS = 900

/** A resampling with given draws: how often each block is taken. */
function given(block: number[], weights: number[][]): Resampling {
  return {
    block: Int32Array.from(block),
    blocks: weights[0]?.length ?? 0,
    weight: Uint16Array.from(weights.flat()),
  }
}

test('every resampled figure is that of the windows repeated as often as their block is drawn', () => {
  const window = fc.record({
    score: fc.oneof(
      fc.integer({ min: 0, max: 3 }).map((i) => i / 2),
      fc.constant(Number.NaN),
    ),
    label: fc.constantFrom(-1, 0, 1),
    block: fc.integer({ min: 0, max: 3 }),
    counts: fc.boolean(),
  })
  const weights = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(window, { maxLength: 40 }), weights, (windows, drawn) => {
      const found = resample(
        {
          score: Float64Array.from(windows, ({ score }) => score),
          label: Int8Array.from(windows, ({ label }) => label),
          rows: Int32Array.from(windows.flatMap(({ counts }, i) => (counts ? [i] : []))),
        },
        given(
          windows.map(({ block }) => block),
          [drawn],
        ),
        EVERY_SECONDS,
      )
      const repeated = windows.flatMap((one) =>
        one.counts ? Array.from({ length: drawn[one.block] ?? 0 }, () => one) : [],
      )
      const score = Float64Array.from(repeated, (one) => one.score)
      const label = Int8Array.from(repeated, (one) => one.label)
      const point = atThreshold(score, label, 1, EVERY_SECONDS)
      const expected = {
        auroc: auroc(score, label),
        averagePrecision: averagePrecision(score, label),
        bestF1: bestF1(score, label)?.f1 ?? null,
        precision: point.precision,
        recall: point.recall,
        falseFlagsPerDay: point.falseFlagsPerDay,
      }
      for (const [name, value] of Object.entries(expected)) {
        const actual = found[name as keyof typeof expected][0] ?? Number.NaN
        if (value === null) assert.ok(Number.isNaN(actual), `${name}: ${actual}, expected none`)
        else assert.ok(Math.abs(actual - value) < 1e-12, `${name}: ${actual}, expected ${value}`)
      }
    }),
    { numRuns: 300 },
  )
})

describe('the draw of days', () => {
  const starts = (days: number, nodes = 1) =>
    Float64Array.from({ length: days * 4 * nodes }, (_, i) => Math.floor(i / nodes) * (DAY / 4) + 1.7e12)

  test('takes as many days as there are, all nodes of a day together', () => {
    const start = starts(7, 3)
    const { block, blocks, weight } = drawResamples(start)
    // 1.7e12 is in the middle of a day.
    assert.equal(blocks, 8)
    start.forEach((ms, i) => {
      assert.equal(block[i], Math.floor(ms / DAY) - Math.floor((start[0] ?? 0) / DAY))
    })
    assert.equal(weight.length, RESAMPLES * blocks)
    for (let b = 0; b < RESAMPLES; b++) {
      const drawn = weight.subarray(b * blocks, (b + 1) * blocks)
      assert.equal(
        drawn.reduce((sum, times) => sum + times, 0),
        blocks,
      )
    }
    // Each day is drawn once a resample in the mean; the standard error of its count is 1.
    for (let day = 0; day < blocks; day++) {
      let sum = 0
      for (let b = 0; b < RESAMPLES; b++) sum += weight[b * blocks + day] ?? 0
      assert.ok(Math.abs(sum / RESAMPLES - 1) < 0.2, `day ${day}: ${sum / RESAMPLES}`)
    }
  })

  test('is the same every time, and none with few days', () => {
    assert.deepEqual(drawResamples(starts(6)), drawResamples(starts(6)))
    assert.equal(drawResamples(starts(3)).weight.length, 0)
  })
})

test('the interval holds the middle 95 %, and is none where a fifth of the resamples lack the figure', () => {
  const values = Float64Array.from({ length: 1001 }, (_, i) => ((i * 8) % 1001) / 1000)
  assert.deepEqual(interval(values), [0.025, 0.975])
  const holed = (share: number) => values.map((value, i) => (i < share * values.length ? Number.NaN : value))
  assert.notEqual(interval(holed(0.19)), null)
  assert.equal(interval(holed(0.21)), null)
  assert.equal(interval(new Float64Array(0)), null)
})

test('intervals over dependent days cover the truth nearly as often as they say, single windows resampled do not', () => {
  // Scores are normal, anomalous ones shifted by 1: AUROC Φ(1/√2) = .760. Half of the variance is common to a day, and
  // every fourth day is anomalous as a whole.
  const truth = 0.7602
  const [days, perDay, sets] = [60, 48, 60]
  const random = createRandom(11)
  const start = Float64Array.from({ length: days * perDay }, (_, i) => (i / perDay) * DAY)
  const rows = Int32Array.from(start, (_, i) => i)
  const label = Int8Array.from(start, (_, i) => (Math.floor(i / perDay) % 4 === 0 ? 1 : 0))
  const byDay = drawResamples(start)
  const weight = new Uint16Array(RESAMPLES * start.length)
  for (let draw = 0; draw < weight.length; draw++) {
    const at = Math.floor(draw / start.length) * start.length + random.integer(start.length)
    weight[at] = (weight[at] ?? 0) + 1
  }
  const byWindow = { block: rows, blocks: start.length, weight }
  const covered = { byDay: 0, byWindow: 0 }
  for (let set = 0; set < sets; set++) {
    const common = Float64Array.from({ length: days }, () => random.normal())
    const score = Float64Array.from(start, (_, i) => {
      const ofDay = common[Math.floor(i / perDay)] ?? 0
      return Math.SQRT1_2 * (ofDay + random.normal()) + (label[i] ?? 0)
    })
    const covers = (resampling: Resampling): number => {
      const [low, high] = interval(resample({ score, label, rows }, resampling, EVERY_SECONDS).auroc) ?? [
        1, 0,
      ]
      return low <= truth && truth <= high ? 1 : 0
    }
    covered.byDay += covers(byDay)
    covered.byWindow += covers(byWindow)
  }
  // 95 % would be 57; with 15 anomalous days the bootstrap falls a little short.
  assert.ok(covered.byDay >= 48, `${covered.byDay} of ${sets} intervals hold the truth`)
  assert.ok(covered.byWindow <= 35, `${covered.byWindow} of ${sets} by single windows`)
})
