import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { atThreshold, auroc, averagePrecision, bestF1 } from '../../src/evaluate/metrics.ts'

const scoresOf = (...values: number[]) => Float64Array.from(values)
const labelsOf = (...values: number[]) => Int8Array.from(values)
const near = (actual: number | null, expected: number) =>
  assert.ok(actual !== null && Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`)

// From the highest score down: .9 hit, .8 and .8 one hit one false, .4 false, .3 hit, .1 false.
const SCORES = scoresOf(0.8, 0.1, 0.9, 0.4, 0.8, 0.3)
const LABELS = labelsOf(1, 0, 1, 0, 0, 1)

test('AUROC, average precision and best F1 equal the sums done by hand, ties included', () => {
  // Pairs of 3 anomalous × 3 normal: .9 beats 3, .8 beats 2 and ties 1, .3 beats 1.
  near(auroc(SCORES, LABELS), (3 + 2.5 + 1) / 9)
  // Recall steps: .9 → 1/3 at precision 1; .8 → 1/3 at 2/3; .3 → 1/3 at 3/5.
  near(averagePrecision(SCORES, LABELS), (1 + 2 / 3 + 3 / 5) / 3)
  // F1 by threshold: .9 → 2/4, .8 → 4/6, .4 → 4/7, .3 → 6/8.
  assert.deepEqual(bestF1(SCORES, LABELS), { f1: 6 / 8, threshold: 0.3, precision: 3 / 5, recall: 1 })
})

test('the best F1 takes the highest of equally good thresholds', () => {
  assert.equal(bestF1(scoresOf(3, 2, 1), labelsOf(1, 0, 1))?.threshold, 1)
  // 3 → 2·1/(1+2) = 2/3; 1 → 2·2/(4+2) = 2/3
  assert.equal(bestF1(scoresOf(3, 2, 2, 1), labelsOf(1, 0, 0, 1))?.threshold, 3)
})

test('a threshold flags scores at and above it', () => {
  // Flagged: .9, .8, .8, .4: 2 hits of 3, 2 false of 3 normal windows of an hour each.
  assert.deepEqual(atThreshold(SCORES, LABELS, 0.4, 3600), {
    precision: 0.5,
    recall: 2 / 3,
    falseFlags: 2,
    falseFlagsPerDay: 2 / (3 / 24),
  })
  assert.deepEqual(atThreshold(SCORES, LABELS, 1, 3600), {
    precision: null,
    recall: 0,
    falseFlags: 0,
    falseFlagsPerDay: 0,
  })
})

test('a metric is null where a class that it needs is absent', () => {
  const none = [scoresOf(), labelsOf()] as const
  const normal = [scoresOf(1, 2), labelsOf(0, 0)] as const
  const anomalous = [scoresOf(1, 2), labelsOf(1, 1)] as const
  for (const [scores, labels] of [none, normal]) {
    assert.equal(auroc(scores, labels), null)
    assert.equal(averagePrecision(scores, labels), null)
    assert.equal(bestF1(scores, labels), null)
    assert.equal(atThreshold(scores, labels, 0, 900).recall, null)
  }
  assert.equal(auroc(...anomalous), null)
  assert.equal(averagePrecision(...anomalous), 1)
  assert.equal(atThreshold(...anomalous, 0, 900).falseFlagsPerDay, null)
})

test('windows without a label or a score are left out', () => {
  const scores = scoresOf(...SCORES, 7, Number.NaN, -1)
  const labels = labelsOf(...LABELS, -1, 1, -1)
  assert.equal(auroc(scores, labels), auroc(SCORES, LABELS))
  assert.equal(averagePrecision(scores, labels), averagePrecision(SCORES, LABELS))
  assert.deepEqual(bestF1(scores, labels), bestF1(SCORES, LABELS))
  assert.deepEqual(atThreshold(scores, labels, 0.4, 900), atThreshold(SCORES, LABELS, 0.4, 900))
})

test('infinite scores are the ends of the order', () => {
  assert.equal(auroc(scoresOf(Infinity, 0, -Infinity), labelsOf(1, 0, 0)), 1)
  assert.equal(auroc(scoresOf(-Infinity, -Infinity), labelsOf(1, 0)), 0.5)
})

test('bad input is refused', () => {
  assert.throws(() => auroc(scoresOf(1, 2), labelsOf(1)), /2 scores, but 1 labels/)
  assert.throws(() => bestF1(scoresOf(1, 2), labelsOf(1, 2)), /label 2 in row 1/)
})

/** Few distinct scores, so that ties are common; 0 and -0 are equal. */
const windows = fc.array(
  fc.record({
    score: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(-0), fc.double({ noNaN: true })),
    label: fc.constantFrom(-1, 0, 1),
  }),
  { maxLength: 60 },
)
type Windows = { score: number; label: number }[]
const split = (rows: Windows) =>
  [Float64Array.from(rows, (row) => row.score), Int8Array.from(rows, (row) => row.label)] as const
const all = (rows: Windows) => {
  const [scores, labels] = split(rows)
  return [auroc(scores, labels), averagePrecision(scores, labels), bestF1(scores, labels)] as const
}

test('AUROC is the share of pairs in the right order, ties counted half', () => {
  fc.assert(
    fc.property(windows, (rows) => {
      const anomalous = rows.filter((row) => row.label === 1)
      const normal = rows.filter((row) => row.label === 0)
      let won = 0
      for (const a of anomalous) {
        for (const b of normal) won += a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0
      }
      const pairs = anomalous.length * normal.length
      assert.equal(auroc(...split(rows)), pairs === 0 ? null : won / pairs)
    }),
  )
})

test('average precision is the mean, over anomalous windows, of the precision at their own score', () => {
  fc.assert(
    fc.property(windows, (rows) => {
      const anomalous = rows.filter((row) => row.label === 1)
      fc.pre(anomalous.length > 0)
      const precisions = anomalous.map(({ score }) => {
        const flagged = rows.filter((row) => row.label !== -1 && row.score >= score)
        return flagged.filter((row) => row.label === 1).length / flagged.length
      })
      near(averagePrecision(...split(rows)), precisions.reduce((a, b) => a + b) / anomalous.length)
    }),
  )
})

test('the best F1 is reached at its threshold and at no other exceeded', () => {
  fc.assert(
    fc.property(windows, (rows) => {
      const [scores, labels] = split(rows)
      const best = bestF1(scores, labels)
      fc.pre(best !== null)
      const f1 = (threshold: number) => {
        const { precision, recall } = atThreshold(scores, labels, threshold, 900)
        return precision && recall ? (2 * precision * recall) / (precision + recall) : 0
      }
      near(f1(best.threshold), best.f1)
      for (const { score } of rows) assert.ok(f1(score) <= best.f1 + 1e-12)
    }),
  )
})

test('nothing depends on the order of rows', () => {
  fc.assert(
    fc.property(
      windows.chain((rows) =>
        fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length })),
      ),
      ([rows, shuffled]) => assert.deepEqual(all(shuffled), all(rows)),
    ),
  )
})

test('a rising map of the scores changes the threshold only', () => {
  const integers = windows.map((rows) => rows.map((row) => ({ ...row, score: Math.sign(row.score) * 2 })))
  fc.assert(
    fc.property(integers, (rows) => {
      const rise = (score: number) => Math.exp(3 * score) - 1
      const [area, precision, best] = all(rows)
      const mapped = rows.map((row) => ({ ...row, score: rise(row.score) }))
      assert.deepEqual(all(mapped), [area, precision, best && { ...best, threshold: rise(best.threshold) }])
    }),
  )
})

test('reversed scores give the complement of AUROC', () => {
  fc.assert(
    fc.property(windows, (rows) => {
      const area = auroc(...split(rows))
      fc.pre(area !== null)
      near(auroc(...split(rows.map((row) => ({ ...row, score: -row.score })))), 1 - area)
    }),
  )
})
