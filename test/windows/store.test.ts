import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WindowBlock } from '../../src/windows/block.ts'
import { PART, WindowStore } from '../../src/windows/store.ts'
import { folder } from '../history/parquet.ts'

/** Windows `first` … with two values and one count a metric, each its row and column. */
function block(rows: number, metrics: number, first = 0): WindowBlock {
  return {
    rows,
    node: Int32Array.from({ length: rows }, (_, r) => (first + r) % 7),
    start: Float64Array.from({ length: rows }, (_, r) => 1000 * (first + r)),
    label: Int8Array.from({ length: rows }, (_, r) => ((first + r) % 3) - 1),
    values: Float64Array.from({ length: 2 * metrics * rows }, (_, i) => first + i / 10),
    counts: Uint16Array.from({ length: metrics * rows }, (_, i) => (first + i) % 65_536),
  }
}

test('gives back what it took, column by column', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 1500 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 3 }),
      (sizes, metrics) => {
        const store = new WindowStore(2 * metrics, metrics, folder())
        const blocks = sizes.map((rows, i) => block(rows, metrics, 10_000 * i))
        for (const each of blocks) store.append(each)
        let first = 0
        for (const { rows, ...columns } of blocks) {
          for (const column of ['node', 'start', 'label', 'values', 'counts'] as const) {
            assert.deepEqual(store.read(column, first, rows), columns[column])
          }
          first += rows
        }
        assert.equal(store.rows, first)
        store.close()
      },
    ),
    { numRuns: 20 },
  )
})

test('the windows of a part come in order with their position, whatever the blocks and whoever is left out', async () => {
  const parts = fc.array(fc.constantFrom(...(['leftOut', 'train', 'calibration'] as const)), {
    maxLength: 60,
  })
  const property = fc.asyncProperty(
    parts,
    fc.integer({ min: 1, max: 20 }),
    async (assigned, rowsPerBlock) => {
      const store = new WindowStore(2, 1, folder())
      const written = block(assigned.length, 1)
      store.append(written)
      store.assign(
        0,
        Uint8Array.from(assigned, (part) => PART[part]),
      )
      for (const part of ['train', 'calibration'] as const) {
        for (const nodes of [undefined, new Set([0, 3])]) {
          const expected = assigned.flatMap((of, i) =>
            of === part && (nodes?.has(written.node[i]!) ?? true) ? [i] : [],
          )
          const seen: number[] = []
          for await (const { first, rows, node, start, label, values } of store.windows(
            part,
            rowsPerBlock,
            nodes,
          )) {
            assert.equal(first, seen.length)
            assert.ok(rows <= rowsPerBlock)
            for (let i = 0; i < rows; i++) {
              const index = start[i]! / 1000
              assert.deepEqual([node[i], label[i]], [written.node[index], written.label[index]])
              assert.deepEqual(
                values.subarray(2 * i, 2 * i + 2),
                written.values.subarray(2 * index, 2 * index + 2),
              )
              seen.push(index)
            }
          }
          assert.deepEqual(seen, expected)
        }
      }
      store.close()
    },
  )
  await fc.assert(property, { numRuns: 40 })
})

test('picks single windows in the order asked for', () => {
  const store = new WindowStore(2, 1, folder())
  store.append(block(10, 1))
  const { rows, node, start, values } = store.pick([7, 0, 3])
  assert.deepEqual([rows, [...start], [...node]], [3, [7000, 0, 3000], [0, 0, 3]])
  assert.deepEqual([...values], [1.4, 1.5, 0, 0.1, 0.6, 0.7])
  store.close()
})

test('takes only the rows that a block says it has', () => {
  const store = new WindowStore(2, 1, folder())
  store.append({ ...block(3, 1), rows: 2 })
  store.append(block(1, 1, 9))
  assert.deepEqual([...store.read('counts', 0, 3)], [0, 1, 9])
  assert.deepEqual([...store.read('start', 0, 3)], [0, 1000, 9000])
  store.close()
})

test('keeps NaN, and refuses to read beyond its end', () => {
  const store = new WindowStore(2, 1, folder())
  store.append({ ...block(1, 1), values: Float64Array.of(Number.NaN, -0) })
  assert.deepEqual([...store.read('values', 0, 1)], [Number.NaN, -0])
  assert.throws(() => store.read('values', 0, 2), /shorter than written/)
  store.close()
})

test('its files, one a column, open again', () => {
  const own = join(folder(), 'own')
  const store = new WindowStore(2, 1, own)
  store.append(block(5, 1))
  store.sync()
  store.close()
  assert.deepEqual(readdirSync(own).sort(), [
    'counts.u16',
    'label.i8',
    'node.i32',
    'part.u8',
    'start.f64',
    'values.f64',
  ])
  const again = new WindowStore(2, 1, own, { rows: 5 })
  assert.deepEqual(again.read('values', 0, 5), block(5, 1).values)
  assert.throws(() => again.append(block(1, 1)), /EBADF/)
  again.close()
})
