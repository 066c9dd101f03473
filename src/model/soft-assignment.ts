/** The soft assignment q of every row and the target p made from it, whatever the number of rows. */
import type { Layer } from './network.ts'
import type { Rows } from './rows.ts'
import { Spill } from './spill.ts'
import type { Encoder } from './trainer.ts'

/** Rows encoded in one call: the 8 MB that a layer of 2000 units puts out stay in the cache; 4096 rows take 15 % longer each. */
export const ENCODE_ROWS = 1024

export interface Renewed {
  /** Share of the rows whose most likely centre changed; 1 the first time. */
  changed: number
  /** Share of the rows nearest to each centre. */
  shares: number[]
}

/** Mean squared error of the reconstruction a feature over all rows. */
export async function reconstructionError(
  rows: Rows,
  encoder: Encoder,
  layers: readonly Layer[],
  signal?: AbortSignal,
): Promise<number> {
  // The encoder is made for centres; their values do not matter for the error.
  const none = new Float32Array(encoder.centres * encoder.codeSize)
  let sum = 0
  for await (const { n, x } of rows.blocks(ENCODE_ROWS)) {
    signal?.throwIfAborted()
    const { squaredError } = await encoder.encode(layers, none, x, n)
    for (const error of squaredError) sum += error
  }
  return sum / (rows.rows * rows.features)
}

export class SoftAssignment {
  /** f_j = Σ_i q_ij, the mass of each centre. */
  mass: Float64Array
  private readonly q: Spill
  private readonly row: Float32Array
  private renewed = false

  /** `directory`: where q goes beyond memory. */
  constructor(rows: number, centres: number, directory?: string) {
    this.q = new Spill(rows, centres, directory)
    this.mass = new Float64Array(centres)
    this.row = new Float32Array(centres)
  }

  /** Computes q of all rows under the given parameters. */
  async renew(
    rows: Rows,
    encoder: Encoder,
    layers: readonly Layer[],
    centres: Float32Array,
    signal?: AbortSignal,
  ): Promise<Renewed> {
    const k = this.q.width
    const mass = new Float64Array(k)
    const counts = new Float64Array(k)
    const before = new Float32Array(ENCODE_ROWS * k)
    let moved = 0
    for await (const { first, n, x } of rows.blocks(ENCODE_ROWS)) {
      signal?.throwIfAborted()
      const { q } = await encoder.assign(layers, centres, x, n)
      if (this.renewed) this.q.read(first, n, before)
      for (let i = 0; i < n; i++) {
        const nearest = largest(q, i * k, k)
        counts[nearest]!++ // one entry a centre, as of mass
        if (!this.renewed || nearest !== largest(before, i * k, k)) moved++
        for (let j = 0; j < k; j++) mass[j]! += q[i * k + j]!
      }
      this.q.write(first, q.subarray(0, n * k))
    }
    this.renewed = true
    this.mass = mass
    return {
      changed: moved / rows.rows,
      shares: Array.from(counts, (count) => count / rows.rows),
    }
  }

  /** The target of the rows at `positions`, n × k, into `into`. */
  target(positions: Int32Array, into: Float32Array): void {
    const k = this.q.width
    positions.forEach((position, i) => {
      targetRow(this.q.read(position, 1, this.row), this.mass, into, i * k)
    })
  }

  release(): void {
    this.q.release()
  }
}

/**
 * p_j = (q_j² / f_j) / Σ_j' (q_j'² / f_j') (Xie et al. 2016, eq. 3) of one row, into `into` from `at` on; `mass` is f
 * over the whole set.
 */
export function targetRow(q: Float32Array, mass: Float64Array, into: Float32Array, at: number): void {
  const k = mass.length
  let sum = 0
  for (let j = 0; j < k; j++) sum += q[j]! ** 2 / mass[j]! // j < k, the length of both
  for (let j = 0; j < k; j++) into[at + j] = q[j]! ** 2 / mass[j]! / sum
}

/** Index of the largest q of each of n rows; 0 where q is empty. */
export function mostProbable(q: Float32Array | Float64Array, n: number): Int32Array {
  const k = q.length / n
  return Int32Array.from({ length: n }, (_, i) => largest(q, i * k, k))
}

/** Index, counted from `at`, of the largest of the `size` entries from there on; the first of equal ones. */
function largest(values: Float32Array | Float64Array, at: number, size: number): number {
  let best = 0
  for (let j = 1; j < size; j++) if (values[at + j]! > values[at + best]!) best = j // within size
  return best
}
