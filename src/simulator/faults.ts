import type { NodePlace } from './layout.ts'
import { Random } from './random.ts'
import { DIMMS, FANS, GPU_SLOTS } from './sensors.ts'

export const FAULT_KINDS = [
  'fan_failure',
  'hot_rack',
  'gpu_off_bus',
  'dimm_loss',
  'runaway_process',
  'stuck_sensor',
  'network_storm',
  'power_supply_failure',
  'node_hang',
  'node_down',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** One injected fault: the truth that detection is measured against. */
export interface Fault {
  /** Unique within a plan: `fault-03`. */
  id: string
  kind: FaultKind
  /** Nodes that suffer it; all nodes of the rack for `hot_rack`. */
  nodes: string[]
  /** Digits of the rack in which the nodes stand. */
  rack: string
  /** First moment, and the first moment after it; ms since the epoch, UTC. */
  startMs: number
  endMs: number
  /** Metrics that move, the failed part's own first. */
  metrics: string[]
  /** How hard it hits, 0 … 1, within the range that an operator would call a clear case. */
  severity: number
}

export interface FaultPlan {
  nodes: readonly NodePlace[]
  seed: number
  /** Faults start and end within this span; ms since the epoch. */
  fromMs: number
  toMs: number
  /** How many; the kinds take turns, so 10 give one of every kind. */
  count: number
}

const HOUR_MS = 3_600_000
const SHORTEST_HOURS = 2
const LONGEST_HOURS = 8
/** A node recovers for so long before its next fault. */
const RECOVERY_MS = 2 * HOUR_MS
/** Faults begin on the machine's 20-second grid. */
const GRID_MS = 20_000
const PLACEMENT_TRIES = 2000

/**
 * Plans `count` faults of 2 to 8 hours, spread evenly over time and at random over nodes, never two at once on a
 * node. The same input gives the same plan. Throws a RangeError when the span or the machine is too small for them.
 */
export function planFaults(plan: FaultPlan): Fault[] {
  const { nodes, fromMs, toMs, count } = plan
  if (count === 0) return []
  if (toMs - fromMs < LONGEST_HOURS * HOUR_MS) {
    throw new RangeError(`faults need a span of at least ${LONGEST_HOURS} hours to be placed in`)
  }
  const random = new Random(plan.seed, 0xfa017)
  const faults: Fault[] = []
  // Rack-wide faults need the most room, so they are placed first; time slots are handed out at random.
  const kinds = Array.from({ length: count }, (_, i): FaultKind => FAULT_KINDS[i % FAULT_KINDS.length]!)
  kinds.sort((a, b) => Number(b === 'hot_rack') - Number(a === 'hot_rack'))
  const slots = shuffled(random, count)
  const slotMs = (toMs - fromMs) / count
  for (const [i, kind] of kinds.entries()) {
    // `slots` has `count` entries, as `kinds` has.
    faults.push(place(kind, fromMs + slots[i]! * slotMs, slotMs))
  }
  faults.sort((a, b) => a.startMs - b.startMs || (a.nodes[0]! < b.nodes[0]! ? -1 : 1))
  const digits = String(count).length
  return faults.map((fault, i) => ({ ...fault, id: `fault-${String(i + 1).padStart(digits, '0')}` }))

  function place(kind: FaultKind, slotFrom: number, slotLength: number): Fault {
    for (let attempt = 0; attempt < PLACEMENT_TRIES; attempt++) {
      // After a while any time will do.
      const anywhere = attempt > PLACEMENT_TRIES / 4
      const lengthMs = random.between(SHORTEST_HOURS, LONGEST_HOURS) * HOUR_MS
      const wish = anywhere
        ? random.between(fromMs, toMs - lengthMs)
        : slotFrom + random.uniform() * slotLength
      const start = Math.min(Math.max(wish, fromMs), toMs - lengthMs)
      const startMs = Math.ceil(start / GRID_MS) * GRID_MS
      const endMs = Math.floor((start + lengthMs) / GRID_MS) * GRID_MS
      const home = nodes[random.integer(nodes.length)]
      if (!home) throw new RangeError('faults need at least one node')
      const hit =
        kind === 'hot_rack' ? nodes.filter((n) => n.rack === home.rack).map((n) => n.name) : [home.name]
      const free = faults.every(
        (f) =>
          f.endMs + RECOVERY_MS <= startMs ||
          endMs + RECOVERY_MS <= f.startMs ||
          !f.nodes.some((n) => hit.includes(n)),
      )
      const metrics = affected(kind, random)
      const severity = random.uniform()
      if (free) return { id: '', kind, nodes: hit, rack: home.rack, startMs, endMs, metrics, severity }
    }
    throw new RangeError(
      `no room for ${count} faults on ${nodes.length} nodes in ${((toMs - fromMs) / HOUR_MS).toFixed(0)} hours; ` +
        'ask for fewer faults, more nodes or a longer span',
    )
  }
}

/**
 * How many faults a machine has in so many days: one in two weeks on a node, which marks 1.5 % of its windows (2 % of
 * the labelled windows of Marconi-100 are anomalous), and one of every kind where there is room.
 */
export function usualFaultCount(nodes: number, days: number): number {
  if (days * 24 < LONGEST_HOURS) return 0
  const nodeDays = nodes * days
  return Math.max(Math.round(nodeDays / 14), Math.min(FAULT_KINDS.length, Math.floor(nodeDays / 2)))
}

/** Whether the scheduler's own health check (Nagios `batchs::client::state`) notices a fault of this kind. */
export function failsNodeCheck(kind: FaultKind): boolean {
  return kind === 'gpu_off_bus' || kind === 'dimm_loss' || kind === 'node_hang' || kind === 'node_down'
}

/** Tells which fault, if any, touches a node within [fromMs, toMs): the label of a window or of a sample. */
export function faultLookup(
  faults: readonly Fault[],
): (node: string, fromMs: number, toMs: number) => Fault | null {
  const byNode = new Map<string, Fault[]>()
  for (const fault of faults) {
    for (const node of fault.nodes) {
      const list = byNode.get(node)
      if (list) list.push(fault)
      else byNode.set(node, [fault])
    }
  }
  return (node, fromMs, toMs) =>
    byNode.get(node)?.find((fault) => fault.startMs < toMs && fault.endMs > fromMs) ?? null
}

function affected(kind: FaultKind, random: Random): string[] {
  const slot = (): number => GPU_SLOTS[random.integer(GPU_SLOTS.length)]!
  switch (kind) {
    case 'fan_failure': {
      const dead = random.integer(FANS)
      const others = [0, 1, 2, 3].filter((i) => i !== dead).flatMap((i) => [`fan${i}_0`, `fan${i}_1`])
      return [`fan${dead}_0`, `fan${dead}_1`, ...others, 'fan_disk_power']
    }
    case 'hot_rack': {
      const fans = [0, 1, 2, 3].flatMap((i) => [`fan${i}_0`, `fan${i}_1`])
      const dimms = Array.from({ length: DIMMS }, (_, i) => `dimm${i}_temp`)
      const gpus = GPU_SLOTS.flatMap((i) => [`gpu${i}_core_temp`, `gpu${i}_mem_temp`])
      return ['ambient', 'pcie', ...fans, 'fan_disk_power', 'p0_vdd_temp', 'p1_vdd_temp', ...dimms, ...gpus]
    }
    case 'gpu_off_bus': {
      const gpu = slot()
      return [`gpu${gpu}_core_temp`, `gpu${gpu}_mem_temp`]
    }
    case 'dimm_loss':
      return [`dimm${random.integer(DIMMS)}_temp`, 'mem_total', 'mem_free', 'boottime']
    case 'runaway_process':
      return [
        'load_one',
        'load_five',
        'load_fifteen',
        'proc_run',
        'proc_total',
        'cpu_user',
        'cpu_system',
      ].concat(['cpu_idle', 'mem_free', 'swap_free', 'p0_power', 'p1_power'])
    case 'stuck_sensor': {
      const choices = ['ambient', 'p0_power', 'p1_power', 'p0_vdd_temp', 'p1_vdd_temp', 'pcie', 'total_power']
      return [[...choices, `gpu${slot()}_core_temp`][random.integer(choices.length + 1)]!]
    }
    case 'network_storm':
      return ['pkts_in', 'pkts_out', 'bytes_in', 'bytes_out', 'cpu_system']
    case 'power_supply_failure': {
      const failed = random.integer(2)
      return [failed, 1 - failed].flatMap((i) => [
        `ps${i}_input_power`,
        `ps${i}_output_curre`,
        `ps${i}_output_volta`,
        `ps${i}_input_voltag`,
      ])
    }
    case 'node_hang':
      return ['load_one', 'load_five', 'load_fifteen', 'cpu_wio', 'cpu_idle', 'p0_power', 'p1_power'].concat([
        'total_power',
      ])
    case 'node_down':
      return [
        'total_power',
        'p0_power',
        'p1_power',
        'ps0_input_power',
        'ps1_input_power',
        'fan0_0',
        'fan1_0',
      ].concat(['fan2_0', 'fan3_0', 'fan_disk_power', 'load_one', 'cpu_idle', 'mem_free'])
  }
}

function shuffled(random: Random, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1)
    const kept = order[i]!
    order[i] = order[j]!
    order[j] = kept
  }
  return order
}
