import { Random } from './random.ts'

/** What one job does to each of its nodes while it runs. Shares are of the whole node, 0 … 1. */
export interface Job {
  kind: 'cpu' | 'gpu' | 'mixed'
  endTick: number
  /** Hardware threads that the job keeps busy, 0 … 128. */
  processes: number
  /** Load of the cores' power budget; over 1 for vector code. */
  corePower: number
  /** Load of each of the four GPUs. */
  gpu: readonly number[]
  memoryBandwidth: number
  memoryKb: number
  /** Packets a second over the management network, and kB read or written a second. */
  packets: number
  ioKb: number
  /** Relative swing of the load within the job (iterations, I/O phases). */
  swing: number
  nodes: readonly number[]
}

const TICK_SECONDS = 20
const TICKS_PER_MINUTE = 3
/** With jobs of 1.5 h in the mean, some of them over many nodes, this leaves a node idle a sixth of the time. */
const MEAN_IDLE_MINUTES = 42
const MAX_JOB_HOURS = 24
const THREADS = 128
const GIGABYTE_KB = 1_048_576

/** Share of nodes kept busy, relative to the mean: people submit by day and on working days. `hour` is UTC. */
function demand(timeMs: number): number {
  const hour = (timeMs / 3_600_000) % 24
  const weekday = (Math.floor(timeMs / 86_400_000) + 4) % 7 // 1970-01-01 was a Thursday; 0 is Sunday
  const daily = 1 + 0.45 * Math.sin(((hour - 9) / 24) * 2 * Math.PI)
  return daily * (weekday === 0 || weekday === 6 ? 0.65 : 1.14)
}

/** Gives jobs to free nodes, minute by minute; some jobs span several nodes. */
export class Scheduler {
  /** The job of each node, or null. */
  readonly running: (Job | null)[]
  private readonly random: Random
  private readonly startMs: number

  constructor(nodes: number, seed: number, startMs: number) {
    this.random = new Random(seed, 0x10b5)
    this.running = new Array<Job | null>(nodes).fill(null)
    this.startMs = startMs
    // The machine starts in the middle of its work, not empty.
    for (let minute = 0; minute < 4 * MEAN_IDLE_MINUTES; minute++) {
      this.schedule((minute - 4 * MEAN_IDLE_MINUTES) * TICKS_PER_MINUTE, () => true)
    }
  }

  /** Ends and starts jobs at this tick. `accepts` tells whether a node takes work (up, not drained). */
  step(tick: number, accepts: (node: number) => boolean): void {
    if (tick % TICKS_PER_MINUTE === 0) this.schedule(tick, accepts)
  }

  /** The node is lost: its job ends on all its nodes. */
  kill(node: number): void {
    const job = this.running[node]
    if (!job) return
    for (const other of job.nodes) if (this.running[other] === job) this.running[other] = null
  }

  private schedule(tick: number, accepts: (node: number) => boolean): void {
    const { running, random } = this
    const start = demand(this.startMs + tick * TICK_SECONDS * 1000) / MEAN_IDLE_MINUTES
    for (let node = 0; node < running.length; node++) {
      const job = running[node]
      if (job) {
        if (job.endTick <= tick) running[node] = null
        continue
      }
      // Drawn even where the node takes no work, so that a fault on one node does not shift the others' jobs.
      const wanted = random.chance(start)
      if (wanted && accepts(node)) this.launch(node, tick, accepts)
    }
  }

  private launch(first: number, tick: number, accepts: (node: number) => boolean): void {
    const { running, random } = this
    const luck = random.uniform()
    const width = luck < 0.75 ? 1 : luck < 0.93 ? 2 + random.integer(3) : 8 + random.integer(9)
    const nodes = [first]
    for (let node = first + 1; node < running.length && nodes.length < width; node++) {
      if (!running[node] && accepts(node)) nodes.push(node)
    }
    const job = drawJob(random, tick, nodes)
    for (const node of nodes) running[node] = job
  }
}

function drawJob(random: Random, tick: number, nodes: readonly number[]): Job {
  const luck = random.uniform()
  const kind = luck < 0.3 ? 'cpu' : luck < 0.72 ? 'gpu' : 'mixed'
  const minutes = Math.min(Math.max(random.logNormal(50, 1.1), 3), MAX_JOB_HOURS * 60)
  const endTick = tick + Math.ceil(minutes * TICKS_PER_MINUTE)
  // Half of the CPU jobs use all hardware threads, others one or two threads a core.
  const threads = kind === 'gpu' ? 4 : kind === 'mixed' ? 32 : [32, 64, THREADS, THREADS][random.integer(4)]
  const processes = threads ?? THREADS
  const corePower =
    kind === 'cpu'
      ? Math.min(random.logNormal(0.95, 0.22), 2.1)
      : kind === 'mixed'
        ? random.between(0.45, 0.95)
        : random.between(0.1, 0.4)
  // Most GPU jobs leave the GPUs waiting much of the time; a few run them flat out.
  const level = kind === 'cpu' ? 0 : 0.14 + 0.8 * random.uniform() ** 2.2
  const used = random.chance(0.2) ? 1 + random.integer(3) : 4
  const gpu = [0, 1, 2, 3].map((i) => (i < used ? level * random.between(0.93, 1) : 0))
  return {
    kind,
    endTick,
    processes,
    corePower,
    gpu,
    memoryBandwidth: kind === 'cpu' ? random.between(0.1, 0.9) : random.between(0.05, 0.5) + 0.3 * level,
    memoryKb: Math.min(random.logNormal(18 * GIGABYTE_KB, 1), 230 * GIGABYTE_KB),
    packets: random.logNormal(25, 0.9),
    ioKb: random.logNormal(40, 1.6),
    swing: random.between(0.01, 0.12),
    nodes,
  }
}
