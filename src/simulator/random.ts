/**
 * The simulator's random numbers: sfc32 by Chris Doty-Humphrey (PractRand, public domain), a small fast generator
 * with 128 bits of state. Every node, rack and fault owns one, so that what one of them does never shifts another's.
 */
export class Random {
  private readonly state = new Int32Array(4)

  /** Streams of the same seed and different `stream` numbers are unrelated. */
  constructor(seed: number, stream: number) {
    this.state[0] = mix(seed | 0)
    this.state[1] = mix(stream ^ 0x9e3779b9)
    this.state[2] = mix(seed ^ Math.imul(stream, 0x85ebca6b))
    this.state[3] = 1
    // Near seeds start near; a dozen rounds part them.
    for (let i = 0; i < 12; i++) this.bits()
  }

  /** 32 random bits as a signed integer. */
  bits(): number {
    const s = this.state
    // The state holds exactly four words.
    const a = s[0]!
    const b = s[1]!
    const c = s[2]!
    const d = s[3]!
    const t = (((a + b) | 0) + d) | 0
    s[3] = d + 1
    s[0] = b ^ (b >>> 9)
    s[1] = c + (c << 3)
    s[2] = ((c << 21) | (c >>> 11)) + t
    return t
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return (this.bits() >>> 0) / 4294967296
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** Uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  chance(p: number): boolean {
    return this.uniform() < p
  }

  /**
   * About standard normal, within ±3.5: the sum of the four bytes of one draw (Irwin–Hall). Sensor noise is rounded
   * to the sensor's step anyway, and one draw costs a tenth of Box–Muller.
   */
  noise(): number {
    const x = this.bits()
    return ((x & 255) + ((x >>> 8) & 255) + ((x >>> 16) & 255) + (x >>> 24) - 510) / FOUR_BYTES_SD
  }

  /** Log-normal with the given median; `sigma` is the standard deviation of the logarithm. */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.noise())
  }
}

/** Standard deviation of the sum of four independent bytes: √(4·(256² − 1)/12). */
const FOUR_BYTES_SD = 147.8

/** A 32-bit finaliser (Murmur3, Austin Appleby, public domain): every input bit moves every output bit. */
export function mix(x: number): number {
  let h = x | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
