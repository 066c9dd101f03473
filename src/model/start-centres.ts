import { kMeans } from './kmeans.ts'
import { miniBatchKMeans } from './minibatch-kmeans.ts'
import type { Layer } from './network.ts'
import type { Random } from './random.ts'
import type { Rows } from './rows.ts'
import { ENCODE_ROWS } from './soft-assignment.ts'
import { Spill } from './spill.ts'
import type { Encoder } from './trainer.ts'

/** Up to so many codes k-means runs over all of them in memory, beyond in mini-batches. */
const MEMORY_ROWS = 20_000
/** Many codes move a centre at once, so that a mini-batch costs one product of matrices worth its call. */
const MINI_BATCH_ROWS = 4096
/** As the DEC authors: the best of 20 starts. */
const RESTARTS = 20

/** Centres (k × c) by k-means on the codes of all rows. `directory`: where the codes go beyond memory. */
export async function startCentres(
  rows: Rows,
  encoder: Encoder,
  layers: readonly Layer[],
  random: Random,
  { signal, directory }: { signal?: AbortSignal | undefined; directory?: string | undefined } = {},
): Promise<Float32Array> {
  const c = encoder.codeSize
  const codes = new Spill(rows.rows, c, directory)
  try {
    // The encoder is made for centres; before they exist their values do not matter for the code.
    const none = new Float32Array(encoder.centres * c)
    for await (const { first, n, x } of rows.blocks(ENCODE_ROWS)) {
      signal?.throwIfAborted()
      codes.write(first, (await encoder.assign(layers, none, x, n)).code.subarray(0, n * c))
    }
    const options = { restarts: RESTARTS, random, signal }
    if (rows.rows <= MEMORY_ROWS) {
      const all = codes.read(0, rows.rows, new Float32Array(rows.rows * c))
      return (await kMeans(all, c, encoder.centres, options)).centres
    }
    return (await miniBatchKMeans(() => blocksOf(codes), c, encoder.centres, options)).centres
  } finally {
    codes.release()
  }
}

async function* blocksOf(codes: Spill): AsyncGenerator<{ x: Float32Array; n: number }> {
  const x = new Float32Array(MINI_BATCH_ROWS * codes.width)
  for (let first = 0; first < codes.rows; first += MINI_BATCH_ROWS) {
    const n = Math.min(MINI_BATCH_ROWS, codes.rows - first)
    yield { x: codes.read(first, n, x), n }
  }
}
