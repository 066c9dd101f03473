import { sensorIndex } from './sensors.ts'

/** Sensor indices of a numbered family. */
export function sensorIndices(count: number, name: (i: number) => string): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => sensorIndex(name(i)))
}

/** Share of the way to its end value that a first-order lag of `tau` seconds goes within one 20-second step. */
export function lag(tau: number): number {
  return 1 - Math.exp(-20 / tau)
}

/** Rounds to a sensor's step, a tenth or more, without binary dust: 18.6, not 18.600000000000001. */
export function quantise(value: number, step: number): number {
  return Math.round(Math.round(value / step) * step * 10) / 10
}
