/** A seeded stream of random numbers: the same seed gives the same training on every machine. */
export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number
  /** Standard normal. */
  normal(): number
  /** Uniform integer in [0, n). */
  integer(n: number): number
  /** Permutes in place (Fisher–Yates). */
  shuffle(values: Int32Array | Uint32Array): void
  /** Where the stream is. */
  state(): RandomState
  /** Goes back, or forward, to where a stream was. */
  restore(state: RandomState): void
}

/** Place in a stream, as plain data for a checkpoint. */
export interface RandomState {
  words: [number, number, number, number]
  /** The second normal of a pair that Box–Muller made, not yet handed out. */
  spare: number | null
}

/** sfc32, a 128-bit chaotic generator by C. Doty-Humphrey (PractRand), started from one 32-bit seed, or from where another stream is. */
export function createRandom(from: number | RandomState): Random {
  let a = 0x9e3779b9 | 0
  let b = 0x243f6a88 | 0
  let c = typeof from === 'number' ? from | 0 : 0
  let counter = 1
  let spare: number | null = null
  const next = (): number => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  // The state starts nearly equal for near seeds; a dozen rounds mix it.
  for (let i = 0; i < 12; i++) next()
  const uniform = (): number => next() / 2 ** 32
  const integer = (n: number): number => Math.floor(uniform() * n)
  const random: Random = {
    uniform,
    integer,
    state: () => ({ words: [a, b, c, counter], spare }),
    restore(state) {
      ;[a, b, c, counter] = state.words
      spare = state.spare
    },
    normal() {
      if (spare !== null) {
        const value = spare
        spare = null
        return value
      }
      // Box–Muller; 1 − u keeps the logarithm finite.
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
      const angle = 2 * Math.PI * uniform()
      spare = radius * Math.sin(angle)
      return radius * Math.cos(angle)
    },
    shuffle(values) {
      for (let i = values.length - 1; i > 0; i--) {
        const j = integer(i + 1)
        // Both indices are within the array.
        const kept = values[i]!
        values[i] = values[j]!
        values[j] = kept
      }
    },
  }
  if (typeof from !== 'number') random.restore(from)
  return random
}
