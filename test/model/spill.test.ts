import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { Spill } from '../../src/model/spill.ts'
import { folder } from '../history/parquet.ts'

/** 16 MiB hold 4,194,304 values. */
for (const [where, rows] of [
  ['memory', 1000],
  ['a file', 600_000],
] as const) {
  test(`rows in ${where}: written in blocks, read in blocks and one by one, in any order`, () => {
    const directory = folder()
    const spill = new Spill(rows, 8, directory)
    assert.equal(readdirSync(directory).length, where === 'memory' ? 0 : 1)
    const value = (row: number, j: number): number => (row % 1000) + j / 8
    const block = (first: number, n: number): Float32Array =>
      Float32Array.from({ length: n * 8 }, (_, i) => value(first + Math.floor(i / 8), i % 8))
    for (const first of [0, 500, rows - 100]) spill.write(first, block(first, 100))
    spill.write(510, block(0, 1))
    assert.deepEqual(spill.read(500, 10, new Float32Array(80)), block(500, 10))
    assert.deepEqual(spill.read(510, 1, new Float32Array(8)), block(0, 1))
    assert.deepEqual(spill.read(rows - 1, 1, new Float32Array(8)), block(rows - 1, 1))
    assert.deepEqual(spill.read(300, 1, new Float32Array(8).fill(7)), new Float32Array(8), 'not yet written')
    spill.release()
    assert.deepEqual(readdirSync(directory), [])
  })
}

test('what was never written at the end of the file reads as 0', () => {
  const spill = new Spill(600_000, 8)
  assert.deepEqual(spill.read(599_999, 1, new Float32Array(8).fill(7)), new Float32Array(8))
  spill.release()
})
