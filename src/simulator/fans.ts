import type { Conditions } from './conditions.ts'
import type { Random } from './random.ts'
import { lag, sensorIndices } from './reading.ts'
import { FANS, sensorIndex } from './sensors.ts'

const ROTORS = FANS * 2
const SPEED = sensorIndices(ROTORS, (i) => `fan${i >> 1}_${i & 1}`)
const POWER = sensorIndex('fan_disk_power')
/** Mean fan speed at rest and the widest rise over it that Marconi-100 has shown, in steps of 100 RPM. */
const REST = 44.9
const LEVELS = 66
/** All fans and the disk at rest take 32 W; the power grows with this exponent of the speed (snapshot). */
const REST_WATT = 32
const POWER_EXPONENT = 2.3
/** With a tray dead the controller drives the other three so many steps above the curve. */
const SPARE_LEVELS = 16
const COAST_LAG = lag(20)

/** Four fan trays of two rotors. Speeds in steps of 100 RPM. */
export class Fans {
  private readonly random: Random
  private readonly rest = new Float64Array(ROTORS)
  private readonly speed = new Float64Array(ROTORS)
  /** How strongly this node's controller reacts. */
  private readonly eager: number
  private level = 0

  constructor(random: Random) {
    this.random = random
    for (let f = 0; f < ROTORS; f++) {
      this.rest[f] = (f & 1) === 0 ? random.between(42.8, 43.4) : random.between(46.3, 46.8)
    }
    this.speed.set(this.rest)
    this.eager = random.between(0.7, 1.5)
  }

  /** Mean air flow relative to rest; half of what a dead tray lacks comes back through the others. */
  airflow(): number {
    let sum = 0
    for (let f = 0; f < ROTORS; f++) sum += this.speed[f]!
    return Math.max(0.3, sum / (ROTORS * REST))
  }

  /** Follows the hottest GPU and core (degC), more eagerly in warm air; returns the power, W. */
  step(
    gpu: number,
    core: number,
    inlet: number,
    now: Conditions,
    flicker: number,
    out: Float64Array,
  ): number {
    const heat = Math.min(1, Math.max(0, (gpu - 46) / 20, (core - 58) / 16))
    const warmAir = Math.max(0, inlet - 23) * 5 * heat + Math.max(0, inlet - 28) * 3.5
    const hotParts = Math.max(0, gpu - 52) * 0.6 + Math.max(0, core - 60) * 0.9
    const spare = now.deadFan >= 0 ? SPARE_LEVELS : 0
    const demand = Math.min(LEVELS, this.eager * (warmAir + hotParts) + spare)
    // Up quickly, down slowly and with a dead band: this gives the plateaus that real fan curves show.
    if (demand > this.level + 1) this.level += Math.min(4, Math.floor(demand - this.level))
    else if (demand < this.level - 1.5) this.level -= 1
    let watt = 0
    for (let f = 0; f < ROTORS; f++) {
      const dead = f >> 1 === now.deadFan
      const wish = dead ? 0 : this.rest[f]! + this.level * ((f & 1) === 0 ? 1 : 0.94)
      const speed = this.speed[f]! + (wish - this.speed[f]!) * COAST_LAG
      this.speed[f] = speed
      watt += (REST_WATT / ROTORS) * (speed / REST) ** POWER_EXPONENT
      const noise = dead ? 0 : flicker * 0.22 * this.random.noise()
      out[SPEED[f]!] = 100 * Math.max(0, Math.round(speed + noise))
    }
    out[POWER] = Math.round(watt + flicker * 0.5 * this.random.noise())
    return watt
  }

  stepOff(out: Float64Array): void {
    this.speed.fill(0)
    this.level = 0
    for (let f = 0; f < ROTORS; f++) out[SPEED[f]!] = 0
    out[POWER] = 0
  }
}
