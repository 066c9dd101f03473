import type { NodePlace } from './layout.ts'
import { Random } from './random.ts'

const DAY_MS = 86_400_000
const YEAR_MS = 365.25 * DAY_MS
/** Mean of 31 months of the public data, degC. */
const MEAN_AIR = 22

/** Temperature of the air that enters each node: room, rack and height in the rack, day and year. */
export class Room {
  private readonly offset: Float64Array
  private readonly rackOf: Int32Array
  private readonly wander: Float64Array
  private readonly randoms: Random[]
  private readonly rackOffset: Float64Array
  private common = MEAN_AIR

  constructor(places: readonly NodePlace[], seed: number) {
    const racks = [...new Set(places.map((place) => place.rack))]
    this.randoms = racks.map((rack) => new Random(seed, 0x40000 + Number(rack)))
    this.rackOffset = Float64Array.from(this.randoms, (random) => 1.3 * random.noise())
    this.wander = new Float64Array(racks.length)
    this.rackOf = Int32Array.from(places, (place) => racks.indexOf(place.rack))
    // The air warms by about 3 degC from the lowest to the highest node (slots 2 to 19 of the snapshot).
    this.offset = Float64Array.from(places, (place) => 0.17 * (Number(place.slot) - 10.5))
    for (const [i, place] of places.entries()) {
      this.offset[i] = this.offset[i]! + 0.4 * new Random(seed, 0x50000 + Number(place.rack) * 32 + i).noise()
    }
  }

  /** One step of 20 seconds that begins at `timeMs`. */
  step(timeMs: number): void {
    const hour = (timeMs % DAY_MS) / DAY_MS
    const season = Math.cos((timeMs / YEAR_MS - 0.55) * 2 * Math.PI)
    // Warmest in the afternoon and in July: cooling towers follow the outside air.
    this.common = MEAN_AIR + 1.1 * Math.sin((hour - 0.4) * 2 * Math.PI) + 1.2 * season
    for (let r = 0; r < this.wander.length; r++) {
      // Air handlers cycle: a slow walk of half a degree with a memory of about an hour.
      this.wander[r] = this.wander[r]! * 0.9945 + 0.055 * this.randoms[r]!.noise()
    }
  }

  /** degC at the inlet of a node. */
  inlet(node: number): number {
    const rack = this.rackOf[node]!
    return this.common + this.offset[node]! + this.rackOffset[rack]! + this.wander[rack]!
  }
}
