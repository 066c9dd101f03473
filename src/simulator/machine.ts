import type { Fault } from './faults.ts'
import { Scheduler } from './jobs.ts'
import { type NodePlace, placeNodes } from './layout.ts'
import { SimNode, TICK_MS } from './node.ts'
import { mix } from './random.ts'
import { Room } from './room.ts'
import { SENSORS } from './sensors.ts'

export interface MachineOptions {
  nodes: number
  /** Any 32-bit integer; the same seed gives the same samples, to the last digit. */
  seed: number
  /** ms since the epoch, a multiple of 20 s so that ticks fall into whole windows. */
  startMs: number
  faults: readonly Fault[]
}

export interface MachineNode extends NodePlace {
  /** Names of the sensors that this node has: 88 of IPMI's, with its own 16 core slots a socket, and 27 of Ganglia's. */
  readonly sensors: readonly string[]
}

/** One sample: `node` and `sensor` index `Machine.nodes` and `Machine.sensors`. */
export type EmitSample = (node: number, sensor: number, value: number, timeMs: number) => void

/** One Nagios check of a node's batch client: `state` 0 or 2, and whether the node is drained. */
export type EmitCheck = (node: number, state: number, drained: boolean, timeMs: number) => void

/** Nagios looks at every node once in 15 minutes. */
const CHECK_TICKS = 45
/** Samples of one read carry one time stamp, which `ipmi_pub` floors to 10 ms. */
const STAMP_MS = 10
/** Reads are not punctual: up to so many ms late. */
const JITTER_MS = 900

/**
 * A Marconi-100 in small or in full. Time goes in ticks of 20 s; within a tick every node has one slot for the read of
 * its baseboard and one for Ganglia's, so that samples come in time order. All chance is drawn from the seed and from
 * the position in time, never from how callers cut time into `advance` calls.
 */
export class Machine {
  readonly nodes: readonly MachineNode[]
  readonly sensors: readonly string[] = SENSORS.map((sensor) => sensor.name)
  readonly startMs: number
  private readonly seed: number
  private readonly simulated: SimNode[]
  private readonly scheduler: Scheduler
  private readonly room: Room
  private tick = 0
  private slot = 0
  /** Whether the physics of `tick` is done. */
  private begun = false

  constructor(options: MachineOptions) {
    const { nodes, seed, startMs, faults } = options
    if (!Number.isInteger(nodes) || nodes < 1)
      throw new RangeError(`a machine has at least one node, not ${nodes}`)
    if (!Number.isInteger(startMs) || startMs % TICK_MS !== 0) {
      throw new RangeError(`the machine starts on a multiple of 20 s, not at ${startMs} ms`)
    }
    this.seed = seed
    this.startMs = startMs
    const places = placeNodes(nodes)
    this.room = new Room(places, seed)
    this.room.step(startMs)
    this.scheduler = new Scheduler(nodes, seed, startMs)
    this.simulated = places.map((place, i) => {
      const own = faults
        .filter((fault) => fault.nodes.includes(place.name) && fault.endMs > startMs)
        .sort((a, b) => a.startMs - b.startMs)
      return new SimNode(place, seed, i, startMs, this.room.inlet(i), own)
    })
    this.nodes = this.simulated.map((node) => ({
      ...node.place,
      sensors: Array.from(node.sensors, (i) => this.sensors[i]!),
    }))
  }

  /** Simulated time of the 20-second step that comes next, ms; everything before it is emitted. */
  get timeMs(): number {
    return this.startMs + this.tick * TICK_MS
  }

  /** Emits all samples and checks before `toMs` that were not emitted yet, in time order. */
  advance(toMs: number, emit: EmitSample, check?: EmitCheck): void {
    const { simulated } = this
    const count = simulated.length
    const slots = 2 * count
    const spacing = TICK_MS / slots
    const jitter = Math.min(1, JITTER_MS / spacing)
    for (;;) {
      const tickMs = this.startMs + this.tick * TICK_MS
      if (tickMs >= toMs) return
      if (!this.begun) this.beginTick(tickMs)
      for (; this.slot < slots; this.slot++) {
        const luck =
          ((mix(Math.imul(this.tick, 0x9e3779b1) ^ mix(this.slot ^ this.seed)) >>> 0) / 4294967296) * jitter
        const timeMs = tickMs + Math.floor(((this.slot + luck) * spacing) / STAMP_MS) * STAMP_MS
        if (timeMs >= toMs) return
        if ((this.slot & 1) === 0) this.readBaseboard(this.slot >> 1, timeMs, emit)
        else this.readHost(((this.slot >> 1) + (count >> 1)) % count, timeMs, emit, check)
      }
      this.slot = 0
      this.begun = false
      this.tick++
    }
  }

  private beginTick(tickMs: number): void {
    const { simulated, scheduler, tick } = this
    this.begun = true
    this.room.step(tickMs)
    for (let i = 0; i < simulated.length; i++) {
      if (simulated[i]!.live(tick, tickMs)) scheduler.kill(i)
    }
    scheduler.step(tick, (node) => simulated[node]!.available(tick))
    for (let i = 0; i < simulated.length; i++) {
      simulated[i]!.step(tick, tickMs, scheduler.running[i]!, this.room.inlet(i))
    }
  }

  private readBaseboard(index: number, timeMs: number, emit: EmitSample): void {
    const node = this.simulated[index]!
    if (!node.readArrives(this.tick)) return
    const { sensors, values, ipmiSensors } = node
    for (let i = 0; i < ipmiSensors; i++) {
      const sensor = sensors[i]!
      const value = values[sensor]!
      if (!Number.isNaN(value) && !node.loses()) emit(index, sensor, value, timeMs)
    }
  }

  private readHost(index: number, timeMs: number, emit: EmitSample, check: EmitCheck | undefined): void {
    const node = this.simulated[index]!
    // Every node has its own place within the check's round.
    if (check && (this.tick + index * 7) % CHECK_TICKS === 0) {
      check(index, node.nagiosState(this.tick), node.drained, timeMs)
    }
    if (!node.sampleHost(this.tick)) return
    const { sensors, values, ipmiSensors } = node
    for (let i = ipmiSensors; i < sensors.length; i++) {
      const sensor = sensors[i]!
      const value = values[sensor]!
      if (!Number.isNaN(value) && !node.loses()) emit(index, sensor, value, timeMs)
    }
  }
}
