import type { Conditions } from './conditions.ts'
import type { Random } from './random.ts'
import { quantise, sensorIndices } from './reading.ts'

const SUPPLIES = 2
const POWER = sensorIndices(SUPPLIES, (i) => `ps${i}_input_power`)
const VOLTAGE_IN = sensorIndices(SUPPLIES, (i) => `ps${i}_input_voltag`)
const CURRENT = sensorIndices(SUPPLIES, (i) => `ps${i}_output_curre`)
const VOLTAGE_OUT = sensorIndices(SUPPLIES, (i) => `ps${i}_output_volta`)
const MAINS_VOLT = 230
/** The two inputs together read so far above `total_power` in the snapshot: a factor and a constant, W. */
const INPUT_FACTOR = 1.06
const INPUT_WATT = 105
/** What the second supply's own losses add to that constant. */
const SECOND_SUPPLY_WATT = 60
/** Output of a supply from its input, W, over the snapshot's range of 230 to 900 W. */
const OUTPUT_FACTOR = 0.945
const OUTPUT_LOSS_WATT = 38
export const STANDBY_WATT = 14

/** Two power supplies that share the load unevenly. */
export class Supplies {
  private readonly random: Random
  private readonly mains = new Float64Array(SUPPLIES).fill(MAINS_VOLT)
  /** Watts that the second carries above half the load. */
  private readonly skew: number

  constructor(random: Random) {
    this.random = random
    this.skew = random.between(0, 36)
  }

  step(nodeWatt: number, now: Conditions, flicker: number, out: Float64Array): void {
    const { random } = this
    const inputs = INPUT_FACTOR * nodeWatt + INPUT_WATT
    for (let s = 0; s < SUPPLIES; s++) {
      this.stepMains(s, flicker, out)
      if (s === now.deadSupply) {
        out[POWER[s]!] = 0
        out[CURRENT[s]!] = 0
        out[VOLTAGE_OUT[s]!] = 0
        // The mains side is gone too: breaker or cable, or the supply's own fuse.
        out[VOLTAGE_IN[s]!] = 0
        continue
      }
      const half = inputs / 2 + (s === 0 ? -this.skew : this.skew)
      const watt = (now.deadSupply >= 0 ? inputs - SECOND_SUPPLY_WATT : half) + flicker * 3 * random.noise()
      const volt = 12.4 - 0.2 * Math.min(1, watt / 900) + flicker * 0.02 * random.noise()
      const ampere = (OUTPUT_FACTOR * watt - OUTPUT_LOSS_WATT) / volt + flicker * 0.3 * random.noise()
      out[POWER[s]!] = quantise(watt, 10)
      out[CURRENT[s]!] = Math.max(0, Math.round(ampere))
      out[VOLTAGE_OUT[s]!] = quantise(volt, 0.1)
    }
  }

  /** On standby the mains side is alive, the outputs are not. */
  stepOff(out: Float64Array): void {
    for (let s = 0; s < SUPPLIES; s++) {
      this.stepMains(s, 1, out)
      out[POWER[s]!] = quantise(STANDBY_WATT + 2 * this.random.noise(), 10)
      out[CURRENT[s]!] = 0
      out[VOLTAGE_OUT[s]!] = 0
    }
  }

  private stepMains(supply: number, flicker: number, out: Float64Array): void {
    const now = this.mains[supply]!
    this.mains[supply] = now + (MAINS_VOLT - now) * 0.01 + flicker * 0.15 * this.random.noise()
    out[VOLTAGE_IN[supply]!] = Math.round(this.mains[supply]!)
  }
}
