import type { Fault } from './faults.ts'
import { GPU_SLOTS, SENSORS, sensorIndex } from './sensors.ts'

/** What is wrong with a node at this moment. */
export interface Conditions {
  /** Tray of the dead fan, or -1. */
  deadFan: number
  /** Degrees that the inlet air is too warm. */
  hotAir: number
  /** Index (0 … 3) of the GPU that fell off the bus, or -1. */
  lostGpu: number
  /** DIMM that the firmware took out, or -1, and what the system misses with it. */
  lostDimm: number
  lostMemoryKb: number
  /** How far a runaway process has come, 0 (none) … 1 (all of its course). */
  runaway: number
  /** Strength of a packet storm, 0 (none) … 1. */
  storm: number
  /** Power supply that failed, or -1. */
  deadSupply: number
  /** The system does not react any more; `silent` also from the network's view. */
  hung: boolean
  silent: boolean
  down: boolean
  /** Sensor that always reads `stuckAt`, or -1. */
  stuckSensor: number
  stuckAt: number
}

export function healthy(): Conditions {
  return {
    deadFan: -1,
    hotAir: 0,
    lostGpu: -1,
    lostDimm: -1,
    lostMemoryKb: 0,
    runaway: 0,
    storm: 0,
    deadSupply: -1,
    hung: false,
    silent: false,
    down: false,
    stuckSensor: -1,
    stuckAt: 0,
  }
}

/** Warm air spreads through a rack within so many seconds, and leaves it as slowly. */
const AIR_RAMP_SECONDS = 1500
const HOTTEST_AIR = { least: 8, most: 14 }
/** A DIMM of Marconi-100 holds 16 GiB. */
const DIMM_KB = 16_777_216
/** A runaway process has filled the node after this share of the fault. */
const RUNAWAY_COURSE = 0.4
/** Readings at which a broken sensor gets stuck: possible ones, but far from the usual (metrics.tsv). */
const STUCK_READINGS: Record<string, { low: number; high: number }> = {
  ambient: { low: 34, high: 39 },
  pcie: { low: 66, high: 78 },
  p0_power: { low: 230, high: 310 },
  p1_power: { low: 230, high: 310 },
  p0_vdd_temp: { low: 58, high: 70 },
  p1_vdd_temp: { low: 58, high: 70 },
  total_power: { low: 1900, high: 2200 },
}
const STUCK_GPU = { low: 84, high: 96 }

/** What a fault means for a node at a moment within it. */
export function conditionsOf(fault: Fault, timeMs: number): Conditions {
  const now = healthy()
  const part = fault.metrics[0] ?? ''
  const digit = Number(/\d+/.exec(part)?.[0] ?? -1)
  const elapsed = (timeMs - fault.startMs) / 1000
  const left = (fault.endMs - timeMs) / 1000
  const course = (timeMs - fault.startMs) / (fault.endMs - fault.startMs)
  switch (fault.kind) {
    case 'fan_failure':
      now.deadFan = digit
      break
    case 'hot_rack': {
      const peak = HOTTEST_AIR.least + (HOTTEST_AIR.most - HOTTEST_AIR.least) * fault.severity
      now.hotAir = peak * Math.min(1, elapsed / AIR_RAMP_SECONDS, left / AIR_RAMP_SECONDS)
      break
    }
    case 'gpu_off_bus':
      now.lostGpu = GPU_SLOTS.indexOf(digit)
      break
    case 'dimm_loss':
      now.lostDimm = digit
      now.lostMemoryKb = DIMM_KB
      break
    case 'runaway_process':
      now.runaway = Math.max(0.02, Math.min(1, course / RUNAWAY_COURSE))
      break
    case 'stuck_sensor': {
      const { low, high } = STUCK_READINGS[part] ?? STUCK_GPU
      const sensor = sensorIndex(part)
      now.stuckSensor = sensor
      const step = SENSORS[sensor]?.step ?? 1
      now.stuckAt = Math.round(Math.round((low + (high - low) * fault.severity) / step) * step * 10) / 10
      break
    }
    case 'network_storm':
      now.storm = 0.4 + 0.6 * fault.severity
      break
    case 'power_supply_failure':
      now.deadSupply = digit
      break
    case 'node_hang':
      now.hung = true
      // Some hangs kill the monitoring daemon at once; in others it reports a growing pile of blocked processes.
      now.silent = fault.severity < 0.5
      break
    case 'node_down':
      now.down = true
      break
  }
  return now
}
