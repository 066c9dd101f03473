/** How much memory a trial is expected to need. */
import type { ModelOptions } from '../bootstrap/presets.ts'
import type { Bytes } from '../config/size.ts'
import { createNetwork, layerSizes } from '../model/network.ts'
import { SCORE_ROWS } from '../model/scorer.ts'

/** A process with Node, the program and the tensor runtime loaded and nothing trained. */
const PROCESS_BYTES = 130 * 2 ** 20
/** Rows in memory at most, twice: one buffer is trained on while the next is read. */
const ROW_BUFFERS_BYTES = 2 * 64 * 2 ** 20
const FLOAT = 4

/**
 * Expected peak of resident memory: process + parameters × states × 2 sets + rows + activations of a batch + the
 * largest intermediate of scoring (rows × modes × features, five times: difference, square, weight, product, mask).
 * A state is a copy of the parameters: themselves, the optimiser's (1 for momentum, 2 for Adam) and the copies that training hands over
 * between its stages (2).
 */
export function expectedBytes(options: ModelOptions, features: number, rows: number): Bytes {
  const network = createNetwork(features, options.hidden, options.code)
  const parameters = layerSizes(network).reduce((sum, [inputs, outputs]) => sum + (inputs + 1) * outputs, 0)
  const kinds = [options.pretrain.optimiser.kind, options.cluster.optimiser.kind]
  const states = 2 * (kinds.includes('adam') ? 3 : 2) + 2
  const { batch } = options.pretrain.batch > options.cluster.batch ? options.pretrain : options.cluster
  // Each width holds a value forward, one backward, and what the runtime keeps of both.
  const activations = 4 * batch * network.widths.reduce((sum, width) => sum + width, 0)
  const scoring = 5 * Math.min(rows, SCORE_ROWS) * options.cluster.centres * features
  const rowBytes = Math.min(ROW_BUFFERS_BYTES, 2 * rows * features * FLOAT)
  const assignments = rows * options.cluster.centres * FLOAT
  return PROCESS_BYTES + FLOAT * (parameters * states + activations + scoring) + rowBytes + assignments
}
