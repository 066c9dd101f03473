import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  adjustedRandIndex,
  clusterAccuracy,
  minimumCostMatching,
  normalisedMutualInformation,
} from '../../src/evaluate/clustering.ts'
import { golden } from './golden.ts'

const METRICS = [clusterAccuracy, normalisedMutualInformation, adjustedRandIndex]

const near = (actual: number, expected: number, message: string) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${message}: ${actual}, expected ${expected}`)

test('accuracy, NMI and ARI equal those of scikit-learn', () => {
  assert.ok(golden.agreement.length > 10)
  for (const { name, assignment, labels, accuracy, nmi, ari } of golden.agreement) {
    near(clusterAccuracy(assignment, labels), accuracy, `accuracy of "${name}"`)
    near(normalisedMutualInformation(assignment, labels), nmi, `NMI of "${name}"`)
    near(adjustedRandIndex(assignment, labels), ari, `ARI of "${name}"`)
  }
})

/** Two partitions of the same rows. */
const partitions = fc
  .integer({ min: 1, max: 40 })
  .chain((n) =>
    fc.tuple(
      fc.array(fc.integer({ min: 0, max: 6 }), { minLength: n, maxLength: n }),
      fc.array(fc.integer({ min: -1, max: 4 }), { minLength: n, maxLength: n }),
    ),
  )

test('renaming, swapping the sides and the order of the rows change nothing; ranges hold', () => {
  fc.assert(
    fc.property(partitions, fc.infiniteStream(fc.nat()), ([assignment, labels], keys) => {
      const order = assignment
        .map((_, row) => ({ row, key: keys.next().value as number }))
        .sort((a, b) => a.key - b.key)
        .map(({ row }) => row)
      const renamed = order.map((row) => 100 - 7 * (assignment[row] as number))
      const moved = order.map((row) => labels[row] as number)
      for (const metric of METRICS) {
        const value = metric(assignment, labels)
        near(metric(renamed, moved), value, `${metric.name} of renamed and reordered rows`)
        near(metric(labels, assignment), value, `${metric.name} with sides swapped`)
        assert.ok(
          value <= 1 && value >= (metric === adjustedRandIndex ? -0.5 : 0),
          `${metric.name}: ${value}`,
        )
        near(metric(labels, labels), 1, `${metric.name} of a partition with itself`)
      }
      const largest = Math.max(...labels.map((label) => labels.filter((other) => other === label).length))
      assert.ok(
        clusterAccuracy(assignment, labels) * labels.length >= largest / new Set(assignment).size - 1e-9,
      )
    }),
  )
})

test('the matching costs as little as the best of all permutations, in any shape', () => {
  const matrices = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
    .chain(([rows, columns]) =>
      fc.record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        costs: fc.array(fc.integer({ min: -9, max: 9 }), {
          minLength: rows * columns,
          maxLength: rows * columns,
        }),
      }),
    )
  fc.assert(
    fc.property(matrices, ({ rows, columns, costs }) => {
      const matched = minimumCostMatching(Float64Array.from(costs), rows, columns)
      const used = [...matched].filter((column) => column >= 0)
      assert.equal(used.length, Math.min(rows, columns))
      assert.equal(new Set(used).size, used.length)
      const cost = [...matched].reduce(
        (sum, column, row) => (column < 0 ? sum : sum + (costs[row * columns + column] as number)),
        0,
      )
      assert.equal(cost, cheapest(costs, rows, columns))
    }),
  )
})

function cheapest(costs: number[], rows: number, columns: number): number {
  if (rows > columns) {
    const transposed = Array.from(
      { length: rows * columns },
      (_, i) => costs[(i % rows) * columns + Math.floor(i / rows)],
    )
    return cheapest(transposed as number[], columns, rows)
  }
  const from = (row: number, free: number[]): number =>
    row === rows
      ? 0
      : Math.min(
          ...free.map(
            (column) =>
              (costs[row * columns + column] as number) +
              from(
                row + 1,
                free.filter((c) => c !== column),
              ),
          ),
        )
  return from(
    0,
    Array.from({ length: columns }, (_, c) => c),
  )
}

test('what cannot be compared is refused', () => {
  for (const metric of METRICS) {
    assert.throws(() => metric([0, 1], [0]), /2 assignments, but 1 labels/)
    assert.throws(() => metric([], []), /no row to compare/)
    assert.throws(() => metric([0, 1.5], [0, 1]), /assignment 1.5 in row 1 is not a whole number/)
    assert.throws(() => metric([0, 1], [0, Number.NaN]), /label NaN in row 1/)
  }
})
