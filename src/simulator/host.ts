import type { Conditions } from './conditions.ts'
import type { Job } from './jobs.ts'
import type { Random } from './random.ts'
import { IPMI_SENSORS, SENSORS, sensorIndex } from './sensors.ts'

/** Whole seconds between two physics steps. */
const STEP_SECONDS = 20
const THREADS = 128
const PAGE_KB = 64
const SWAP_KB = 4_194_240
/** 314 GiB: main memory and the GPUs' own, which POWER9 shows as memory nodes (seed table). */
export const MEMORY_KB = 329_873_088
/** Some boots find a few pages less (the seed table's smallest usual maximum). */
const MEMORY_KB_AFTER_SOME_BOOTS = 329_871_936
const KERNEL_KB = 5_200_000
const FILE_SYSTEM_POOL_KB = 18_000_000

const BOOTTIME = sensorIndex('boottime')
const BYTES_IN = sensorIndex('bytes_in')
const BYTES_OUT = sensorIndex('bytes_out')
const CPU_IDLE = sensorIndex('cpu_idle')
const CPU_NICE = sensorIndex('cpu_nice')
const CPU_NUM = sensorIndex('cpu_num')
const CPU_SPEED = sensorIndex('cpu_speed')
const CPU_STEAL = sensorIndex('cpu_steal')
const CPU_SYSTEM = sensorIndex('cpu_system')
const CPU_USER = sensorIndex('cpu_user')
const CPU_WIO = sensorIndex('cpu_wio')
const DISK_FREE = sensorIndex('disk_free')
const LOAD = [sensorIndex('load_one'), sensorIndex('load_five'), sensorIndex('load_fifteen')] as const
const MEM_BUFFERS = sensorIndex('mem_buffers')
const MEM_CACHED = sensorIndex('mem_cached')
const MEM_FREE = sensorIndex('mem_free')
const MEM_SHARED = sensorIndex('mem_shared')
const MEM_TOTAL = sensorIndex('mem_total')
const PART_MAX_USED = sensorIndex('part_max_used')
const PKTS_IN = sensorIndex('pkts_in')
const PKTS_OUT = sensorIndex('pkts_out')
const PROC_RUN = sensorIndex('proc_run')
const PROC_TOTAL = sensorIndex('proc_total')
const SWAP_FREE = sensorIndex('swap_free')
const SWAP_TOTAL = sensorIndex('swap_total')

/** Decay of the kernel's three load averages over one step. */
const LOAD_DECAY = [60, 300, 900].map((tau) => Math.exp(-STEP_SECONDS / tau))

/** gmond collects metrics in groups; one group has one period. In steps of 20 s. */
const GROUPS = [40, 60, 80, 90, 180].map((period) => ({
  steps: period / STEP_SECONDS,
  sensors: Int32Array.from(
    SENSORS.flatMap((s, i) => (i >= IPMI_SENSORS && s.periodSeconds === period ? [i] : [])),
  ),
}))

/** A node full of jobs pushes so many idle pages out in the long run, kB (seed node: swap_free 0.6 GB below total). */
const SWAP_UNDER_PRESSURE_KB = 1_500_000
/** Share of the way there in 20 s: the kernel takes about a day. */
const SWAP_PACE = 2.5e-4

/** The operating system of one node as Ganglia sees it. */
export class Host {
  /** Load of the running job right now, relative to its nominal: follows its swing. */
  activity = 1
  private readonly random: Random
  private readonly due = new Float64Array(GROUPS.length)
  private readonly load = new Float64Array(3)
  private readonly baseProcesses: number
  private readonly basePackets: number
  private readonly diskGb: number
  private totalKb = MEMORY_KB
  private bootSecond: number
  private jobKb = 0
  private cachedKb: number
  private buffersKb = 12_000
  /** Idle pages that the kernel has moved out, kB; follows the memory pressure slowly. */
  private swapUsedKb: number
  private readonly swapBaseKb: number
  /** Pages of a runaway program; they go with it. */
  private runawaySwapKb = 0
  private processes: number
  private running = 0
  private drift = 0
  private packets: number
  private transferKb = 0
  private diskUsed: number
  private user = 0
  private system = 0
  private wait = 0

  constructor(random: Random, startMs: number) {
    this.random = random
    // Up for days already when the simulation starts.
    this.bootSecond = Math.floor(startMs / 1000 - random.between(1, 30) * 86_400)
    this.baseProcesses = Math.round(random.between(1950, 2250))
    this.basePackets = random.between(42, 64)
    this.diskGb = 1_800
    this.diskUsed = random.between(0.275, 0.33)
    this.cachedKb = random.between(4e6, 14e6)
    this.swapBaseKb = random.chance(0.4) ? random.between(1e5, 9e5) : 0
    this.swapUsedKb = this.swapBaseKb
    this.processes = this.baseProcesses
    this.packets = this.basePackets
    for (let g = 0; g < GROUPS.length; g++) this.due[g] = random.integer(9)
  }

  /** Starts anew after a reboot at `second` (UNIX time). */
  boot(second: number, lostKb: number): void {
    this.bootSecond = second
    this.totalKb = (this.random.chance(0.1) ? MEMORY_KB_AFTER_SOME_BOOTS : MEMORY_KB) - lostKb
    this.load.fill(0.5)
    this.jobKb = 0
    this.cachedKb = 900_000
    this.buffersKb = 4_000
    this.swapUsedKb = 0
    this.processes = this.baseProcesses - 750
    this.transferKb = 0
  }

  /** One step of 20 seconds. */
  step(job: Job | null, now: Conditions): void {
    const { random } = this
    this.activity += (1 - this.activity) * 0.15 + (job?.swing ?? 0) * random.noise() * 0.55
    this.activity = Math.min(1.15, Math.max(0.3, this.activity))
    const procs = job?.processes ?? 0
    const share = Math.min(1, (procs / THREADS) * this.activity)

    this.user = 100 * share * 0.975 + 0.15 + 0.08 * Math.abs(random.noise())
    this.system = 0.35 + 1.6 * share + 0.12 * Math.abs(random.noise())
    this.transferKb += ((job?.ioKb ?? 2) * random.logNormal(1, 0.7) - this.transferKb) * 0.3
    this.wait = Math.min(6, this.transferKb / 2500)
    this.running = Math.max(0, Math.round(procs * Math.min(1, this.activity) + 0.6 * random.noise()))
    const jobProcesses = procs * 3 + (job ? 180 : 0)
    this.drift += (0 - this.drift) * 0.004 + random.noise() * 2
    const usual = this.baseProcesses + jobProcesses + this.drift
    this.processes += (usual - this.processes) * 0.25
    this.packets += (this.basePackets + (job?.packets ?? 4) * random.logNormal(1, 0.35) - this.packets) * 0.4

    const wanted = job?.memoryKb ?? 0
    this.jobKb += (wanted - this.jobKb) * (wanted > this.jobKb ? 0.06 : 0.6)
    this.cachedKb += this.transferKb * 8 + (5e6 - this.cachedKb) * 0.0008
    this.buffersKb += (30_000 - this.buffersKb) * 0.0004
    this.diskUsed += (0.3 - this.diskUsed) * 1e-5 + 4e-6 * random.noise()
    let blocked = 0

    if (now.storm > 0) {
      // Broadcasts: small packets in, answers out, the kernel busy with interrupts.
      this.packets += (now.storm * 110_000 * random.between(0.8, 1.15) - this.packets) * 0.6
      this.system += 9 * now.storm
    }
    if (now.runaway > 0) this.runAway(now.runaway)
    if (now.hung) {
      // Everything that touches the dead file system blocks and counts as load.
      blocked = this.load[0]! + 9
      this.user = 0.1
      this.wait = 38
      this.processes += 22
      this.running = 0
    }

    const free = this.totalKb - KERNEL_KB - FILE_SYSTEM_POOL_KB - this.jobKb - this.buffersKb
    this.cachedKb = Math.max(300_000, Math.min(this.cachedKb, free - 3_000_000))
    if (now.runaway === 0) this.runawaySwapKb = 0
    const pressure = this.jobKb / MEMORY_KB
    this.swapUsedKb += (this.swapBaseKb + SWAP_UNDER_PRESSURE_KB * pressure - this.swapUsedKb) * SWAP_PACE
    const queue = this.running + this.wait * 0.3 + blocked + 0.4 * random.uniform()
    for (let i = 0; i < 3; i++) {
      const decay = LOAD_DECAY[i]!
      this.load[i] = this.load[i]! * decay + queue * (1 - decay)
    }
  }

  /**
   * Writes the metrics whose group is due at this tick to `out` and leaves NaN at the others. Returns whether
   * anything is due.
   */
  sample(tick: number, out: Float64Array): boolean {
    let any = false
    for (let g = 0; g < GROUPS.length; g++) {
      if (tick < this.due[g]!) continue
      const { steps, sensors } = GROUPS[g]!
      if (!any) {
        out.fill(Number.NaN, IPMI_SENSORS)
        any = true
      }
      for (let i = 0; i < sensors.length; i++) out[sensors[i]!] = this.read(sensors[i]!)
      // Periods wander: now and then a round comes a step late, and 90 s is no whole number of steps.
      const late = this.random.uniform()
      this.due[g] = tick + Math.floor(steps + (steps % 1 === 0 ? (late < 0.06 ? 1 : 0) : late))
    }
    return any
  }

  private runAway(course: number): void {
    // A program that forks without end and fills the memory.
    const { random } = this
    const grown = course * course
    this.user = 45 + 30 * course + random.noise()
    this.system = 18 + 12 * course + random.noise()
    this.running = Math.round(150 + 650 * grown + 12 * random.noise())
    this.processes += (this.baseProcesses + 900 + 9_000 * grown - this.processes) * 0.3
    this.jobKb = Math.max(this.jobKb, (MEMORY_KB - 45e6) * Math.min(1, course * 1.1))
    this.runawaySwapKb = SWAP_KB * Math.max(0, course - 0.3) * 1.35
  }

  private read(sensor: number): number {
    const { random } = this
    switch (sensor) {
      case BOOTTIME:
        return this.bootSecond
      case BYTES_IN:
        return hundredth(this.packets * 118 + this.transferKb * 900 * random.between(0.5, 1.5))
      case BYTES_OUT:
        return hundredth(this.packets * 74 + this.transferKb * 60 * random.between(0.5, 1.5))
      case PKTS_IN:
        return hundredth(this.packets * random.between(0.96, 1.04) + this.transferKb * 0.35)
      case PKTS_OUT:
        return hundredth(this.packets * random.between(0.82, 0.94) + this.transferKb * 0.2)
      case CPU_IDLE: {
        return tenth(Math.max(0, 100 - tenth(this.user) - tenth(this.system) - tenth(this.wait)))
      }
      case CPU_NICE:
        return 0
      case CPU_NUM:
        return THREADS
      case CPU_SPEED:
        return 3800
      case CPU_STEAL:
        return 0
      case CPU_SYSTEM:
        return tenth(this.system)
      case CPU_USER:
        return tenth(Math.min(100, this.user))
      case CPU_WIO:
        return tenth(this.wait)
      case DISK_FREE:
        return Math.round(this.diskGb * (1 - this.diskUsed) * 1000) / 1000
      case LOAD[0]:
        return hundredth(this.load[0]!)
      case LOAD[1]:
        return hundredth(this.load[1]!)
      case LOAD[2]:
        return hundredth(this.load[2]!)
      case MEM_BUFFERS:
        return pages(this.buffersKb)
      case MEM_CACHED:
        return pages(this.cachedKb)
      case MEM_FREE: {
        const used = KERNEL_KB + FILE_SYSTEM_POOL_KB + this.jobKb + this.cachedKb + this.buffersKb
        return pages(Math.max(1_500_000, this.totalKb - used + 3000 * random.noise()))
      }
      case MEM_SHARED:
        return 0
      case MEM_TOTAL:
        return this.totalKb
      case PART_MAX_USED:
        return tenth(100 * this.diskUsed)
      case PROC_RUN:
        return this.running
      case PROC_TOTAL:
        return Math.max(0, Math.round(this.processes + random.noise()))
      case SWAP_FREE:
        return pages(Math.max(0, SWAP_KB - this.swapUsedKb - this.runawaySwapKb))
      case SWAP_TOTAL:
        return SWAP_KB
      default:
        throw new Error(`no reading of host metric ${SENSORS[sensor]?.name}`)
    }
  }
}

const tenth = (x: number): number => Math.round(x * 10) / 10
const hundredth = (x: number): number => Math.round(x * 100) / 100
const pages = (kb: number): number => PAGE_KB * Math.round(kb / PAGE_KB)
