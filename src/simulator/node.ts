import { type Conditions, conditionsOf, healthy } from './conditions.ts'
import { type Fault, failsNodeCheck } from './faults.ts'
import { Hardware } from './hardware.ts'
import { Host } from './host.ts'
import type { Job } from './jobs.ts'
import type { NodePlace } from './layout.ts'
import { Random } from './random.ts'
import { IPMI_SENSORS, SENSORS } from './sensors.ts'

export const TICK_MS = 20_000
const TICKS_PER_DAY = 4320

/** Reboot: power off, firmware and kernel, then Ganglia comes back; in steps of 20 s. */
const BOOT_OFF_TICKS = 3
const BOOT_TICKS = 24
const REBOOTS_PER_DAY = 1 / 25
const DRAINS_PER_DAY = 1 / 45
const DRAIN_HOURS = { least: 2, most: 12 }
/** MQTT at QoS 0 loses messages: single ones, and whole reads when a BMC answers too late. */
const MEAN_SAMPLES_BETWEEN_LOSSES = 2500
const LOST_READS = 0.004
/** Now and then a BMC stays mute for a while. */
const OUTAGES_PER_DAY = 1 / 8
const OUTAGE_TICKS = { least: 3, most: 60 }

/** One simulated node: its hardware, its system, what is wrong with it, and what gets lost on the way. */
export class SimNode {
  readonly place: NodePlace
  /** Indices of the sensors that this node has, IPMI's first, each part in ASCII order. */
  readonly sensors: Int32Array
  /** How many of `sensors` are IPMI's. */
  readonly ipmiSensors: number
  /** The readings of the last read, indexed by sensor; NaN where there is none. */
  readonly values = new Float64Array(SENSORS.length).fill(Number.NaN)
  /** Out of service on purpose (tag `nagiosdrained`). */
  drained = false
  private readonly random: Random
  private readonly hardware: Hardware
  private readonly host: Host
  private readonly gpu = new Float64Array(4)
  private readonly faults: readonly Fault[]
  private nextFault = 0
  private fault: Fault | null = null
  private now: Conditions = healthy()
  private bootTick = Number.NEGATIVE_INFINITY
  private drainEndTick = 0
  private outageEndTick = 0
  private nextLoss: number
  private readonly work = { corePower: 0, gpu: this.gpu, memoryBandwidth: 0 }

  constructor(
    place: NodePlace,
    seed: number,
    index: number,
    startMs: number,
    inlet: number,
    faults: readonly Fault[],
  ) {
    this.place = place
    this.random = new Random(seed, 0x1000000 + index)
    this.hardware = new Hardware(this.random, inlet)
    this.host = new Host(this.random, startMs)
    this.faults = faults
    const cores = new Set(this.hardware.cores)
    this.sensors = Int32Array.from(
      SENSORS.flatMap((sensor, i) => (!/_core\d+_temp$/.test(sensor.name) || cores.has(i) ? [i] : [])),
    )
    this.ipmiSensors = this.sensors.filter((i) => i < IPMI_SENSORS).length
    this.nextLoss = this.drawLoss()
  }

  /** Takes no new job: drained, booting, or known to be broken. */
  available(tick: number): boolean {
    return (
      !this.drained &&
      tick >= this.bootTick + BOOT_TICKS &&
      (this.fault === null || !failsNodeCheck(this.fault.kind))
    )
  }

  /** Nagios `batchs::client::state`: 2 (critical) while the scheduler can not use the node, 0 otherwise. */
  nagiosState(tick: number): 0 | 2 {
    return this.available(tick) ? 0 : 2
  }

  /**
   * Ends and begins faults, reboots and drains at this tick. Returns true when the job that runs here is lost.
   */
  live(tick: number, timeMs: number): boolean {
    let lost = this.followFaults(tick, timeMs)
    const luck = this.random.uniform()
    // Planned work and spontaneous reboots wait while a fault is on.
    if (this.fault !== null) return lost
    if (this.drained) {
      if (tick >= this.drainEndTick) {
        this.drained = false
        if (luck < 0.7) this.reboot(tick, timeMs)
      }
    } else if (luck < DRAINS_PER_DAY / TICKS_PER_DAY) {
      this.drained = true
      const hours = this.random.between(DRAIN_HOURS.least, DRAIN_HOURS.most)
      this.drainEndTick = tick + Math.round(hours * 180)
      lost = true
    } else if (luck > 1 - REBOOTS_PER_DAY / TICKS_PER_DAY) {
      this.reboot(tick, timeMs)
      lost = true
    }
    return lost
  }

  /** Advances hardware and system by one step; `job` is what the scheduler gave this node. */
  step(tick: number, timeMs: number, job: Job | null, inlet: number): void {
    const { work, host, gpu } = this
    if (this.fault) this.now = conditionsOf(this.fault, timeMs)
    const sinceBoot = tick - this.bootTick
    const off = this.now.down || sinceBoot < BOOT_OFF_TICKS
    if (off) {
      this.hardware.stepOff(inlet + this.now.hotAir, this.values)
    } else {
      const booting = sinceBoot < BOOT_TICKS
      const active = this.now.hung || booting ? null : job
      host.step(active, this.now)
      const activity = host.activity
      work.corePower = booting ? 0.45 : (active?.corePower ?? 0) * activity
      if (this.now.runaway > 0) work.corePower = Math.max(work.corePower, 0.7 + 0.4 * this.now.runaway)
      work.memoryBandwidth = (active?.memoryBandwidth ?? 0) * activity
      let gpuSum = 0
      for (let g = 0; g < 4; g++) {
        gpu[g] = g === this.now.lostGpu ? 0 : Math.min(1, (active?.gpu[g] ?? 0) * activity)
        gpuSum += gpu[g]!
      }
      // Some of the warm air comes round again.
      const air = inlet + this.now.hotAir + 0.5 * gpuSum
      this.hardware.step(work, this.now, air, this.now.hung ? 0 : 1, this.values)
    }
    if (this.now.stuckSensor >= 0) this.values[this.now.stuckSensor] = this.now.stuckAt
  }

  /** Whether this tick's IPMI read arrives at all. Called once a tick. */
  readArrives(tick: number): boolean {
    const luck = this.random.uniform()
    if (luck > 1 - OUTAGES_PER_DAY / TICKS_PER_DAY) {
      this.outageEndTick = tick + Math.round(this.random.between(OUTAGE_TICKS.least, OUTAGE_TICKS.most))
    }
    return tick >= this.outageEndTick && luck >= LOST_READS
  }

  /** Fills in the host metrics that are due; false when there are none or the system does not answer. */
  sampleHost(tick: number): boolean {
    if (this.now.down || (this.now.hung && this.now.silent) || tick < this.bootTick + BOOT_TICKS) return false
    return this.host.sample(tick, this.values)
  }

  /** Called for each sample on its way out: true when this one is lost. */
  loses(): boolean {
    if (--this.nextLoss > 0) return false
    this.nextLoss = this.drawLoss()
    return true
  }

  private followFaults(tick: number, timeMs: number): boolean {
    const running = this.fault
    if (running && timeMs >= running.endMs) {
      this.fault = null
      this.now = healthy()
      this.nextFault++
      // These are mended by a restart.
      if (failsNodeCheck(running.kind)) this.reboot(tick, timeMs)
    }
    const next = this.faults[this.nextFault]
    if (this.fault || !next || timeMs < next.startMs) return false
    this.fault = next
    this.now = conditionsOf(next, timeMs)
    this.drained = false
    if (next.kind === 'dimm_loss') this.reboot(tick, timeMs)
    return failsNodeCheck(next.kind)
  }

  private reboot(tick: number, timeMs: number): void {
    this.bootTick = tick
    const upSecond = Math.floor(timeMs / 1000) + (BOOT_TICKS * TICK_MS) / 1000 - 45
    this.host.boot(upSecond, this.now.lostMemoryKb)
  }

  private drawLoss(): number {
    return 1 + Math.floor(-Math.log(1 - this.random.uniform()) * MEAN_SAMPLES_BETWEEN_LOSSES)
  }
}
