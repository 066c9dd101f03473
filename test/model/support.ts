/** Stores, scalers and rows made by hand. */
import type { Initialiser, Layer, Network } from '../../src/model/network.ts'
import { initialiseLayers } from '../../src/model/network.ts'
import { createRandom, type Random } from '../../src/model/random.ts'
import { MemoryRows, type Rows } from '../../src/model/rows.ts'
import type { Scaler } from '../../src/model/scaler.ts'
import { PART, type Part, WindowStore } from '../../src/windows/store.ts'
import { folder } from '../history/parquet.ts'

/** Windows of d metrics with one statistic each, 15 minutes apart; `part` of each, by default all train. */
export function storeOf(
  d: number,
  values: ArrayLike<number>,
  node: ArrayLike<number> | null = null,
  part: (row: number) => keyof typeof PART = () => 'train',
): WindowStore {
  const rows = values.length / d
  const store = new WindowStore(d, d, folder())
  store.append({
    rows,
    node: node === null ? new Int32Array(rows) : Int32Array.from(node),
    start: Float64Array.from({ length: rows }, (_, i) => i * 900_000),
    values: Float64Array.from(values),
    counts: new Uint16Array(rows * d).fill(1),
    label: new Int8Array(rows).fill(-1),
  })
  store.assign(
    0,
    Uint8Array.from({ length: rows }, (_, row) => PART[part(row)]),
  )
  return store
}

/** Indices of the windows of a part. */
export function rowsOfPart(store: WindowStore, part: Part): number[] {
  const parts = store.read('part', 0, store.rows)
  return Array.from(parts, (_, i) => i).filter((i) => parts[i] === PART[part])
}

/** Leaves values between -4 and 5 as they are. */
export function identityScaler(d: number): Scaler {
  return {
    nodes: ['a'],
    features: d,
    transforms: Array<'none'>(d).fill('none'),
    lo: new Float64Array(2 * d),
    range: new Float64Array(2 * d).fill(1),
    mean: new Float32Array(2 * d),
  }
}

/** Hands on the rows as they are. */
export async function withRows<T>(
  d: number,
  values: ArrayLike<number>,
  work: (rows: Rows) => Promise<T>,
): Promise<T> {
  return work(new MemoryRows(Float32Array.from(values), d))
}

/** Layers with biases off zero, so that no gradient vanishes by symmetry. */
export function randomLayers(
  network: Network,
  random: Random,
  initialiser: Initialiser = 'variance-scaling',
): Layer[] {
  return initialiseLayers(network, initialiser, random).map((layer) => ({
    ...layer,
    bias: layer.bias.map(() => 0.2 * random.normal()),
  }))
}

/** n rows around each of the given points, normal with the given spread. */
export function blobs(points: number[][], n: number, spread: number, seed: number): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from(
    points.flatMap((point) =>
      Array.from({ length: n }, () => point.map((v) => v + spread * random.normal())).flat(),
    ),
  )
}
