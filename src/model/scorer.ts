import * as ort from './runtime.ts'

/** What the scoring graph says of a block of windows; matrices are row-major, see `scoringGraph`. */
export interface Scores {
  code: Float32Array
  q: Float32Array
  scaled: Float32Array
  squaredResidual: Float32Array
  expected: Float64Array
  clipped: Float32Array
  /** rows × 2; empty before the model has profiles. */
  evidence: Float32Array
  contribution: Float32Array
}

/** Rows scored in one call; keeps the largest intermediate (rows × modes × features) near 16 MB at d = 460, k = 8. */
export const SCORE_ROWS = 1024

/** A scoring graph, loaded. */
export class Scorer {
  private readonly session: ort.InferenceSession
  private readonly features: number

  static async create(graph: Uint8Array, features: number): Promise<Scorer> {
    return new Scorer(await ort.InferenceSession.create(graph), features)
  }

  private constructor(session: ort.InferenceSession, features: number) {
    this.session = session
    this.features = features
  }

  /**
   * Scores `rows` windows. `values` is rows × d raw features with NaN where missing; `node` the scaler's row of each
   * window, 0 for a node that training has not seen.
   */
  async score(values: Float64Array, node: Int32Array, rows: number): Promise<Scores> {
    // A single row takes another matrix kernel with another order of summation than several do. Scored as two equal
    // rows it gives the same bits alone as in company.
    const padded = Math.max(rows, 2)
    const d = this.features
    const features = new Float64Array(padded * d)
    features.set(values.subarray(0, rows * d))
    const nodes = new BigInt64Array(padded)
    for (let i = 0; i < rows; i++) nodes[i] = BigInt(node[i]!) // one entry a row
    if (rows === 1) features.copyWithin(d, 0, d)
    const result = await this.session.run({
      features: new ort.Tensor('float64', features, [padded, d]),
      node: new ort.Tensor('int64', nodes, [padded]),
    })
    return {
      code: floats(result.code),
      q: floats(result.q),
      scaled: floats(result.scaled),
      squaredResidual: floats(result.squared_residual),
      expected: doubles(result.expected),
      clipped: floats(result.clipped),
      evidence: result.evidence === undefined ? new Float32Array(0) : floats(result.evidence),
      contribution: result.contribution === undefined ? new Float32Array(0) : floats(result.contribution),
    }
  }

  async release(): Promise<void> {
    await this.session.release()
  }
}

function floats(tensor: ort.Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new TypeError(`the scoring graph lacks a float output (${tensor?.type ?? 'missing'})`)
}

function doubles(tensor: ort.Tensor | undefined): Float64Array {
  if (tensor?.data instanceof Float64Array) return tensor.data
  throw new TypeError(`the scoring graph lacks a double output (${tensor?.type ?? 'missing'})`)
}
