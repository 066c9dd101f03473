import type { Conditions } from './conditions.ts'
import { Fans } from './fans.ts'
import type { Random } from './random.ts'
import { lag, quantise, sensorIndices } from './reading.ts'
import { CORE_SLOTS, DIMMS, GPU_SLOTS, IPMI_SENSORS, sensorIndex } from './sensors.ts'
import { STANDBY_WATT, Supplies } from './supplies.ts'

/** What a node computes right now; shares are of the whole node. */
export interface Work {
  corePower: number
  /** Load of each of the four GPUs, 0 … 1. */
  gpu: Float64Array
  memoryBandwidth: number
}

const SOCKETS = 2
const GPUS = GPU_SLOTS.length
export const CORES_PER_SOCKET = 16

const AMBIENT = sensorIndex('ambient')
const PCIE = sensorIndex('pcie')
const TOTAL_POWER = sensorIndex('total_power')
const DIMM = sensorIndices(DIMMS, (i) => `dimm${i}_temp`)
const GPU_CORE = sensorIndices(GPUS, (i) => `gpu${GPU_SLOTS[i]}_core_temp`)
const GPU_MEM = sensorIndices(GPUS, (i) => `gpu${GPU_SLOTS[i]}_mem_temp`)
const GPU_CARD = sensorIndices(GPUS, (i) => `gv100card${GPU_SLOTS[i]}`)
const POWER = sensorIndices(SOCKETS, (i) => `p${i}_power`)
const MEM_POWER = sensorIndices(SOCKETS, (i) => `p${i}_mem_power`)
const IO_POWER = sensorIndices(SOCKETS, (i) => `p${i}_io_power`)
const VDD = sensorIndices(SOCKETS, (i) => `p${i}_vdd_temp`)

const CORE_LAG = lag(40)
const GPU_LAG = lag(70)
const VDD_LAG = lag(150)
const PCIE_LAG = lag(300)
const DIMM_LAG = lag(420)

const GPU_IDLE_WATT = 38
const GPU_LOAD_WATT = 225
const CORE_LOAD_WATT = 112

/**
 * Power, temperatures and fans of one node, as its baseboard reads them every 20 seconds. The coefficients are
 * fitted by eye to the published snapshot (16 nodes from idle at 360 W to a benchmark at 1540 W) and to the
 * percentiles of ExaData's month 21-03; thermal parts are first-order lags towards a balance of power and air flow.
 */
export class Hardware {
  /** Socket and slot of the 32 cores that this node's dies have, as sensor indices. */
  readonly cores: Int32Array
  private readonly random: Random
  private readonly coreOffset = new Float64Array(SOCKETS * CORES_PER_SOCKET)
  private readonly coreSpread = new Float64Array(SOCKETS * CORES_PER_SOCKET)
  private readonly coreTemp = new Float64Array(SOCKETS * CORES_PER_SOCKET)
  private readonly idleWatt = new Float64Array(SOCKETS)
  private readonly ioWatt = new Float64Array(SOCKETS)
  private readonly watt = new Float64Array(SOCKETS)
  private readonly memWatt = new Float64Array(SOCKETS)
  private readonly vddOffset = new Float64Array(SOCKETS)
  private readonly vddTemp = new Float64Array(SOCKETS)
  private readonly gpuOffset = new Float64Array(GPUS)
  private readonly gpuTemp = new Float64Array(GPUS)
  private readonly dimmOffset = new Float64Array(DIMMS)
  private readonly dimmTemp = new Float64Array(DIMMS)
  private readonly fans: Fans
  private readonly supplies: Supplies
  private readonly boardWatt: number
  private readonly pcieOffset: number
  private pcieTemp: number

  constructor(random: Random, inletTemp: number) {
    this.random = random
    this.cores = drawCores(random)
    const spread = (least: number, most: number) => random.between(least, most)
    for (let s = 0; s < SOCKETS; s++) {
      this.idleWatt[s] = 21 + 28 * random.uniform() ** 1.6
      this.ioWatt[s] = spread(51, 65)
      this.vddOffset[s] = spread(7.5, 10.5)
      const socketOffset = spread(9.5, 12) + 1.5 * s
      for (let c = 0; c < CORES_PER_SOCKET; c++) {
        const core = s * CORES_PER_SOCKET + c
        // The two cores of a pair share their cache and nearly their temperature.
        const pair = (c & 1) === 1
        this.coreOffset[core] = pair
          ? this.coreOffset[core - 1]! + 0.05
          : socketOffset + 0.15 * random.noise()
        this.coreSpread[core] = pair ? this.coreSpread[core - 1]! : 0.03 * random.noise()
      }
    }
    for (let g = 0; g < GPUS; g++) this.gpuOffset[g] = [7.5, 10, 8.5, 13.5][g]! + 0.8 * random.noise()
    for (let d = 0; d < DIMMS; d++) {
      this.dimmOffset[d] =
        (d < 8 ? 7.2 : 29.2 + [0, 0.8, 1, 0, 2, 2.2, 1, 2.6][d - 8]!) + 0.5 * random.noise()
    }
    this.fans = new Fans(random)
    this.supplies = new Supplies(random)
    this.boardWatt = spread(-12, 22)
    this.pcieOffset = spread(14.3, 15.8)
    this.pcieTemp = inletTemp + this.pcieOffset
    this.coreTemp.fill(inletTemp + 16)
    this.gpuTemp.fill(inletTemp + 15)
    this.dimmTemp.fill(inletTemp + 8)
    this.vddTemp.fill(inletTemp + 9)
  }

  /**
   * One step of 20 seconds with the node powered; writes all its IPMI readings to `out` (indexed by sensor).
   * `inlet`: degC of the air that enters; `flicker`: 0 freezes the sensor noise of a system that stands still.
   */
  step(work: Work, now: Conditions, inlet: number, flicker: number, out: Float64Array): void {
    const { random } = this
    // Powers first.
    let gpuWatt = 0
    for (let g = 0; g < GPUS; g++) {
      gpuWatt += g === now.lostGpu ? 0 : GPU_IDLE_WATT + GPU_LOAD_WATT * work.gpu[g]!
    }
    const gpuShare = (gpuWatt - GPUS * GPU_IDLE_WATT) / (GPUS * GPU_LOAD_WATT)
    let nodeWatt = gpuWatt + this.boardWatt
    for (let s = 0; s < SOCKETS; s++) {
      const busy = work.corePower
      const wish = this.idleWatt[s]! + CORE_LOAD_WATT * busy + 22 * gpuShare
      this.watt[s] = wish + flicker * random.noise() * (0.4 + 5 * Math.min(1, busy))
      this.memWatt[s] = 18 + 15 * work.memoryBandwidth + flicker * 0.35 * random.noise()
      nodeWatt += this.watt[s]! + this.memWatt[s]! + this.ioWatt[s]! + 7 * gpuShare
      out[POWER[s]!] = quantise(this.watt[s]!, 2)
      out[MEM_POWER[s]!] = quantise(this.memWatt[s]!, 2)
      out[IO_POWER[s]!] = Math.round(this.ioWatt[s]! + 7 * gpuShare + flicker * 0.25 * random.noise())
    }
    let hottestGpu = 0
    for (let g = 0; g < GPUS; g++) {
      if (g !== now.lostGpu) hottestGpu = Math.max(hottestGpu, this.gpuTemp[g]!)
    }
    let hottestCore = 0
    for (let c = 0; c < this.coreTemp.length; c++) hottestCore = Math.max(hottestCore, this.coreTemp[c]!)
    nodeWatt += this.fans.step(hottestGpu, hottestCore, inlet, now, flicker, out)
    out[TOTAL_POWER] = quantise(nodeWatt + flicker * 4 * random.noise(), 20)
    this.supplies.step(nodeWatt, now, flicker, out)
    this.stepTemperatures(work, now, inlet, gpuShare, gpuWatt, flicker, out)
  }

  /** One step on standby power: the baseboard answers, the sensors behind the main rails do not. */
  stepOff(inlet: number, out: Float64Array): void {
    const { random } = this
    out.fill(Number.NaN, 0, IPMI_SENSORS)
    const air = inlet + 1.5
    const cool = (temps: Float64Array, k: number): void => {
      for (let i = 0; i < temps.length; i++) temps[i] = temps[i]! + (air - temps[i]!) * k
    }
    cool(this.coreTemp, CORE_LAG / 4)
    cool(this.gpuTemp, GPU_LAG / 4)
    cool(this.vddTemp, VDD_LAG / 2)
    cool(this.dimmTemp, DIMM_LAG)
    this.pcieTemp += (air - this.pcieTemp) * PCIE_LAG
    out[AMBIENT] = quantise(inlet + 0.08 * random.noise(), 0.2)
    out[PCIE] = quantise(this.pcieTemp, 0.3)
    this.fans.stepOff(out)
    this.supplies.stepOff(out)
    for (let s = 0; s < SOCKETS; s++) {
      out[POWER[s]!] = 0
      out[MEM_POWER[s]!] = 0
      out[IO_POWER[s]!] = 0
    }
    out[TOTAL_POWER] = quantise(2 * STANDBY_WATT - 6 + 2 * random.noise(), 20)
  }

  private stepTemperatures(
    work: Work,
    now: Conditions,
    inlet: number,
    gpuShare: number,
    gpuWatt: number,
    flicker: number,
    out: Float64Array,
  ): void {
    const { random, coreTemp, gpuTemp, dimmTemp } = this
    out[AMBIENT] = quantise(inlet + flicker * 0.1 * random.noise(), 0.2)
    // More air, less thermal resistance.
    const resistance = this.fans.airflow() ** -0.45
    for (let s = 0; s < SOCKETS; s++) {
      const extra = this.watt[s]! - this.idleWatt[s]!
      const base = inlet + 0.2 * this.watt[s]! * resistance
      for (let c = s * CORES_PER_SOCKET; c < (s + 1) * CORES_PER_SOCKET; c++) {
        const wish = base + this.coreOffset[c]! + this.coreSpread[c]! * extra
        coreTemp[c] = coreTemp[c]! + (wish - coreTemp[c]!) * CORE_LAG
        out[this.cores[c]!] = Math.round(coreTemp[c]! + flicker * 0.3 * random.noise())
      }
      const vdd = inlet + this.vddOffset[s]! + 0.075 * extra * resistance
      this.vddTemp[s] = this.vddTemp[s]! + (vdd - this.vddTemp[s]!) * VDD_LAG
      out[VDD[s]!] = Math.round(this.vddTemp[s]! + flicker * 0.12 * random.noise())
    }
    for (let g = 0; g < GPUS; g++) {
      const watt = GPU_IDLE_WATT + GPU_LOAD_WATT * work.gpu[g]!
      const wish = inlet + this.gpuOffset[g]! + 0.135 * watt * resistance
      gpuTemp[g] = gpuTemp[g]! + (wish - gpuTemp[g]!) * GPU_LAG
      const lost = g === now.lostGpu
      // Off the bus: the core sensor reads 0, the memory's is not found at all.
      out[GPU_CORE[g]!] = lost ? 0 : Math.round(gpuTemp[g]! + flicker * 0.15 * random.noise())
      out[GPU_MEM[g]!] = lost
        ? Number.NaN
        : Math.round(gpuTemp[g]! - 2 - 0.012 * watt + flicker * 0.15 * random.noise())
      out[GPU_CARD[g]!] = 0
    }
    const memExtra = this.memWatt[0]! + this.memWatt[1]! - 36
    for (let d = 0; d < DIMMS; d++) {
      const offset = this.dimmOffset[d]!
      // The first eight sit in the inlet air, the others behind the sockets.
      const wish = d < 8 ? inlet + offset + 0.04 * memExtra : offset + 0.35 * (inlet - 20) + 0.11 * memExtra
      dimmTemp[d] = dimmTemp[d]! + (wish * (1 + 0.05 * (resistance - 1)) - dimmTemp[d]!) * DIMM_LAG
      out[DIMM[d]!] =
        d === now.lostDimm ? Number.NaN : Math.round(dimmTemp[d]! + flicker * 0.08 * random.noise())
    }
    const pcie =
      inlet + this.pcieOffset + 0.014 * (gpuWatt - GPUS * GPU_IDLE_WATT) * resistance + 2 * gpuShare
    this.pcieTemp += (pcie - this.pcieTemp) * PCIE_LAG
    out[PCIE] = quantise(this.pcieTemp + flicker * 0.05 * random.noise(), 0.3)
  }
}

/** 8 of the 12 core pairs of each socket are fused on, another set on every die. */
function drawCores(random: Random): Int32Array {
  const cores: number[] = []
  for (let socket = 0; socket < SOCKETS; socket++) {
    const pairs = Array.from({ length: CORE_SLOTS / 2 }, (_, i) => i)
    while (pairs.length > CORES_PER_SOCKET / 2) pairs.splice(random.integer(pairs.length), 1)
    for (const pair of pairs) {
      for (const core of [2 * pair, 2 * pair + 1]) cores.push(sensorIndex(`p${socket}_core${core}_temp`))
    }
  }
  return Int32Array.from(cores)
}
