import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRandom } from '../../src/model/random.ts'
import { type BatchOptions, MemoryRows, type Rows } from '../../src/model/rows.ts'
import { ScaledRows, writeScaledRows } from '../../src/model/scaled-rows.ts'
import { CLIP, fitScaler, type Scaler } from '../../src/model/scaler.ts'
import { PART, type Part, WindowStore } from '../../src/windows/store.ts'
import { folder } from '../history/parquet.ts'
import { identityScaler, rowsOfPart, storeOf } from './support.ts'

/** A feature count at which 40,000 rows do not fit the buffer of 64 MiB. */
const WIDE = 460
const MANY = 40_003

/** Row r holds r in its first two places (as sixteenths of its low and high digits) and zeros elsewhere. */
const mark = (r: number): [number, number] => [(r % 256) / 256, Math.floor(r / 256) / 256]
const marked = (x: Float32Array, at: number): number => x[at]! * 256 + x[at + 1]! * 65_536

function wideStore(rows: number): WindowStore {
  const store = new WindowStore(WIDE, 1, folder())
  const step = 1000
  for (let first = 0; first < rows; first += step) {
    const n = Math.min(step, rows - first)
    const values = new Float64Array(n * WIDE)
    for (let i = 0; i < n; i++) values.set(mark(first + i), i * WIDE)
    store.append({
      rows: n,
      node: new Int32Array(n),
      start: new Float64Array(n),
      values,
      counts: new Uint16Array(n),
      label: new Int8Array(n),
    })
    store.assign(first, new Uint8Array(n).fill(PART.train))
  }
  return store
}

async function scaledRows(store: WindowStore, part: Part, scaler: Scaler, rows: number): Promise<ScaledRows> {
  const path = join(folder(), 'rows.f32')
  await writeScaledRows(store.windows(part), scaler, path)
  return ScaledRows.open(path, rows, scaler.features)
}

/** Positions of every batch of one pass; checks that each row is the one at its position. */
async function walk(rows: Rows, batch: number, options: BatchOptions): Promise<number[][]> {
  const out: number[][] = []
  for await (const { x, positions, n } of rows.batches(batch, options)) {
    assert.equal(x.length, n * rows.features)
    positions.forEach((position, i) => {
      assert.equal(marked(x, i * rows.features), position)
    })
    out.push([...positions])
  }
  return out
}

const ascending = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

test('rows in memory: a pass has every row once, in batches of which only the last is short', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 70 }), async (n, batch) => {
      const rows = new MemoryRows(Float32Array.from(ascending(n).flatMap(mark)), 2)
      const shuffled = await walk(rows, batch, { shuffle: true, random: createRandom(n) })
      assert.deepEqual(
        shuffled.map((b) => b.length),
        ascending(Math.ceil(n / batch)).map((i) => Math.min(batch, n - i * batch)),
      )
      assert.deepEqual(
        shuffled.flat().sort((a, b) => a - b),
        ascending(n),
      )
      const ordered = await walk(rows, batch, { shuffle: false, random: createRandom(1) })
      assert.deepEqual(ordered.flat(), ascending(n))
      const rest = await walk(rows, batch, { shuffle: true, random: createRandom(n), from: 2 })
      assert.deepEqual(rest, shuffled.slice(2))
    }),
    { numRuns: 50 },
  )
})

test('a pass takes one draw, and two passes differ', async () => {
  const rows = new MemoryRows(Float32Array.from(ascending(50).flatMap(mark)), 2)
  const [random, same] = [createRandom(3), createRandom(3)]
  const first = await walk(rows, 8, { shuffle: true, random })
  same.uniform()
  assert.deepEqual(random.state(), same.state())
  assert.notDeepEqual(await walk(rows, 8, { shuffle: true, random }), first)
})

test('scaled rows of a selection: each by its node, the same however long the selection', async () => {
  const n = 2500 // more than one call to the graph takes
  const d = 3
  const node = Array.from({ length: n }, (_, i) => i % 3)
  const values = Float64Array.from({ length: n * d }, (_, i) =>
    i % 17 === 0 ? Number.NaN : Math.sin(i) * 100,
  )
  const store = storeOf(d, values, node, (row) => (row % 7 === 3 ? 'calibration' : 'train'))
  const scaler = await fitScaler(store.windows('train'), ['a', 'b', 'c'], ['none', 'log1p', 'none'], {
    plain: false,
  })
  for (const part of ['train', 'calibration'] as const) {
    const indices = rowsOfPart(store, part)
    const rows = await scaledRows(store, part, scaler, indices.length)
    const scaled = new Float32Array(indices.length * d)
    for await (const { first, x } of rows.blocks(700)) scaled.set(x, first * d)
    await rows.release()
    indices.forEach((index, i) => {
      for (let f = 0; f < d; f++) {
        const v = values[index * d + f]!
        const at = (node[index]! + 1) * d + f
        const value = f === 1 ? Math.log1p(Math.max(v, 0)) : v
        const clipped = Math.min(CLIP.high, Math.max(CLIP.low, (value - scaler.lo[at]!) / scaler.range[at]!))
        const expected = Number.isNaN(v) ? scaler.mean[at]! : clipped
        assert.ok(Math.abs(scaled[i * d + f]! - expected) < 1e-6)
      }
    })
  }
  store.close()
})

test('rows beyond the buffer: every row once a pass, mixed over the whole file, resumable at any batch', async () => {
  const store = wideStore(MANY)
  const rows = await scaledRows(store, 'train', identityScaler(WIDE), MANY)
  store.close()
  try {
    const batch = 500
    const pass = await walk(rows, batch, { shuffle: true, random: createRandom(5) })
    assert.deepEqual(
      pass.map((b) => b.length),
      [...Array<number>(80).fill(batch), 3],
    )
    assert.deepEqual(
      pass.flat().sort((a, b) => a - b),
      ascending(MANY),
    )
    // A batch in order would span 500 positions; drawn evenly from the file it spans nearly all.
    for (const positions of pass.slice(0, 72)) {
      const span = Math.max(...positions) - Math.min(...positions)
      assert.ok(span > 0.8 * MANY, `a batch spans ${span} positions`)
    }
    assert.deepEqual(await walk(rows, batch, { shuffle: true, random: createRandom(5) }), pass)
    for (const from of [1, 73, 80, 81]) {
      const rest = await walk(rows, batch, { shuffle: true, random: createRandom(5), from })
      assert.deepEqual(rest, pass.slice(from))
    }
    const ordered = await walk(rows, batch, { shuffle: false, random: createRandom(1) })
    assert.deepEqual(ordered.flat(), ascending(MANY))
    const seen: [number, number][] = []
    for await (const { first, n, x } of rows.blocks(16_000)) {
      for (let i = 0; i < n; i += 97) assert.equal(marked(x, i * WIDE), first + i)
      seen.push([first, n])
    }
    assert.deepEqual(seen, [
      [0, 16_000],
      [16_000, 16_000],
      [32_000, 8003],
    ])
    // Leaving early waits for the read that is under way; the next pass is none the worse.
    for await (const { n } of rows.batches(batch, { shuffle: true, random: createRandom(1) })) {
      assert.equal(n, batch)
      break
    }
    assert.deepEqual(await walk(rows, batch, { shuffle: true, random: createRandom(5) }), pass)
  } finally {
    await rows.release()
  }
})

test('few rows of a file are shuffled as those in memory; a file that is too short is refused', async () => {
  const path = join(folder(), 'rows.f32')
  const values = ascending(30).flatMap(mark)
  const store = storeOf(2, values)
  await writeScaledRows(store.windows('train'), identityScaler(2), path)
  store.close()
  const rows = await ScaledRows.open(path, 30, 2)
  // As those in memory, since they fit.
  const memory = new MemoryRows(Float32Array.from(values), 2)
  assert.deepEqual(
    await walk(rows, 7, { shuffle: true, random: createRandom(2) }),
    await walk(memory, 7, { shuffle: true, random: createRandom(2) }),
  )
  await rows.release()
  await assert.rejects(ScaledRows.open(path, 31, 2), /shorter than written/)
})
