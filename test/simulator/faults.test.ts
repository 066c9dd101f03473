import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  FAULT_KINDS,
  type Fault,
  type FaultKind,
  faultLookup,
  planFaults,
  usualFaultCount,
} from '../../src/simulator/faults.ts'
import { placeNodes } from '../../src/simulator/layout.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { sensorIndex } from '../../src/simulator/sensors.ts'

const START = Date.UTC(2026, 0, 5)
const HOUR = 3_600_000
const DAY = 24 * HOUR

test('a plan holds every kind, within its span, 2 to 8 hours long, never two at once on a node', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 4, max: 60 }),
      fc.integer({ min: 4, max: 20 }),
      fc.integer({ min: 10, max: 20 }),
      fc.nat(),
      (nodes, days, count, seed) => {
        const plan = { nodes: placeNodes(nodes), seed, fromMs: START, toMs: START + days * DAY, count }
        const faults = planFaults(plan)
        assert.deepEqual(planFaults(plan), faults)
        assert.equal(faults.length, count)
        assert.equal(new Set(faults.map((fault) => fault.id)).size, count)
        assert.deepEqual(new Set(faults.map((fault) => fault.kind)), new Set(FAULT_KINDS))
        for (const [i, fault] of faults.entries()) {
          assert.ok(fault.startMs >= plan.fromMs && fault.endMs <= plan.toMs)
          const hours = (fault.endMs - fault.startMs) / HOUR
          assert.ok(hours > 1.98 && hours <= 8)
          assert.equal(fault.startMs % 20_000, 0)
          for (const metric of fault.metrics) sensorIndex(metric)
          const inRack = plan.nodes.filter((node) => node.rack === fault.rack).map((node) => node.name)
          assert.ok(fault.nodes.every((node) => inRack.includes(node)))
          assert.equal(fault.nodes.length, fault.kind === 'hot_rack' ? inRack.length : 1)
          for (const other of faults.slice(i + 1)) {
            const apart = fault.endMs <= other.startMs || other.endMs <= fault.startMs
            assert.ok(apart || !fault.nodes.some((node) => other.nodes.includes(node)))
          }
        }
      },
    ),
    { numRuns: 40 },
  )
})

test('a plan that has no room is refused', () => {
  const nodes = placeNodes(2)
  assert.throws(
    () => planFaults({ nodes, seed: 1, fromMs: START, toMs: START + HOUR, count: 1 }),
    /at least 8 hours/,
  )
  assert.throws(
    () => planFaults({ nodes, seed: 1, fromMs: START, toMs: START + DAY, count: 40 }),
    /no room for 40 faults on 2 nodes in 24 hours/,
  )
  assert.deepEqual(planFaults({ nodes, seed: 1, fromMs: START, toMs: START, count: 0 }), [])
})

test('the usual number of faults always finds room', () => {
  for (const nodes of [1, 2, 4, 8, 12, 20, 21, 40, 100, 980]) {
    for (const days of [0.01, 0.5, 1, 2, 5, 14, 60]) {
      const count = usualFaultCount(nodes, days)
      for (const seed of [1, 2, 3]) {
        const plan = { nodes: placeNodes(nodes), seed, fromMs: START, toMs: START + days * DAY, count }
        assert.equal(planFaults(plan).length, count, `${nodes} nodes, ${days} days`)
      }
    }
  }
})

test('the label of a window follows from overlap', () => {
  const fault = oneFault('fan_failure', ['fan1_0', 'fan1_1'])
  const at = faultLookup([fault])
  assert.equal(at('r205n01', fault.startMs - 900_000, fault.startMs), null)
  assert.equal(at('r205n01', fault.startMs - 900_000, fault.startMs + 1), fault)
  assert.equal(at('r205n01', fault.endMs - 1, fault.endMs + 900_000), fault)
  assert.equal(at('r205n01', fault.endMs, fault.endMs + 900_000), null)
  assert.equal(at('r205n02', fault.startMs, fault.endMs), null)
})

function oneFault(kind: FaultKind, metrics: string[], severity = 0.5): Fault {
  const startMs = START + 4 * HOUR
  return {
    id: 'f',
    kind,
    nodes: ['r205n01'],
    rack: '205',
    startMs,
    endMs: startMs + 4 * HOUR,
    metrics,
    severity,
  }
}

/** Range of every metric of the first node, an hour into the fault until its end, and the number of samples. */
function during(fault: Fault, from = HOUR): Record<string, { min: number; max: number; count: number }> {
  const machine = new Machine({ nodes: 2, seed: 21, startMs: START, faults: [fault] })
  const seen: Record<string, { min: number; max: number; count: number }> = {}
  for (const name of machine.sensors) seen[name] = { min: Infinity, max: -Infinity, count: 0 }
  machine.advance(fault.endMs, (node, sensor, value, timeMs) => {
    if (node !== 0 || timeMs < fault.startMs + from) return
    const range = seen[machine.sensors[sensor] ?? '']
    if (!range) return
    range.min = Math.min(range.min, value)
    range.max = Math.max(range.max, value)
    range.count++
  })
  return seen
}

test('fan_failure: the tray stands still, the others turn faster', () => {
  const seen = during(oneFault('fan_failure', ['fan2_0', 'fan2_1']))
  assert.equal(seen.fan2_0?.max, 0)
  assert.equal(seen.fan2_1?.max, 0)
  assert.ok((seen.fan0_0?.min ?? 0) >= 5600)
})

test('hot_rack: the inlet air warms by 8 to 14 degC, fans follow', () => {
  const normal = during(oneFault('network_storm', []))
  const seen = during(oneFault('hot_rack', [], 1))
  const rise = (seen.ambient?.max ?? 0) - (normal.ambient?.max ?? 0)
  assert.ok(rise > 10 && rise < 16, `${rise}`)
  assert.ok((seen.fan0_0?.max ?? 0) > (normal.fan0_0?.max ?? 0) + 800)
  assert.ok((seen.dimm3_temp?.max ?? 0) > (normal.dimm3_temp?.max ?? 0) + 7)
})

test('gpu_off_bus: the core reads 0, the memory nothing, the others go on', () => {
  const seen = during(oneFault('gpu_off_bus', ['gpu3_core_temp', 'gpu3_mem_temp']))
  assert.equal(seen.gpu3_core_temp?.max, 0)
  assert.equal(seen.gpu3_mem_temp?.count, 0)
  assert.ok((seen.gpu4_core_temp?.min ?? 0) > 25)
})

test('dimm_loss: after a reboot 16 GiB and one sensor are missing', () => {
  const seen = during(oneFault('dimm_loss', ['dimm5_temp', 'mem_total', 'mem_free', 'boottime']))
  assert.equal(seen.mem_total?.max, 313_095_872)
  assert.equal(seen.dimm5_temp?.count, 0)
  assert.ok((seen.dimm4_temp?.count ?? 0) > 400)
  assert.ok((seen.boottime?.min ?? 0) > (START + 4 * HOUR) / 1000)
})

test('runaway_process: load, processes and memory far from anything a job does', () => {
  const seen = during(oneFault('runaway_process', ['load_one']), 3 * HOUR)
  assert.ok((seen.load_one?.min ?? 0) > 500)
  assert.ok((seen.proc_total?.min ?? 0) > 8000)
  assert.ok((seen.mem_free?.max ?? Infinity) < 20_000_000)
  assert.ok((seen.swap_free?.max ?? Infinity) < 1_000_000)
  assert.ok((seen.cpu_idle?.max ?? 100) < 5)
})

test('stuck_sensor: one reading stands still at an odd value', () => {
  const seen = during(oneFault('stuck_sensor', ['p1_power']), 0)
  assert.equal(seen.p1_power?.min, seen.p1_power?.max)
  assert.equal(seen.p1_power?.min, 270)
  assert.notEqual(seen.p0_power?.min, seen.p0_power?.max)
})

test('network_storm: packets by the ten thousand', () => {
  const seen = during(oneFault('network_storm', ['pkts_in']))
  assert.ok((seen.pkts_in?.min ?? 0) > 30_000)
  assert.ok((seen.bytes_in?.min ?? 0) > 3e6)
  assert.ok((seen.cpu_system?.min ?? 0) > 5)
})

test('power_supply_failure: one reads 0, the other carries the node', () => {
  const seen = during(oneFault('power_supply_failure', ['ps1_input_power']))
  assert.equal(seen.ps1_input_power?.max, 0)
  assert.equal(seen.ps1_output_curre?.max, 0)
  const other = seen.ps0_input_power?.min ?? 0
  assert.ok(other >= (seen.total_power?.min ?? Infinity), `${other}`)
})

test('node_hang: silent from the start, or a growing pile of blocked processes', () => {
  const silent = during(oneFault('node_hang', ['load_one'], 0.2))
  assert.equal(silent.load_one?.count, 0)
  assert.ok((silent.total_power?.count ?? 0) > 400)
  assert.ok((silent.p0_power?.max ?? 99) - (silent.p0_power?.min ?? 0) <= 2)
  const loud = during(oneFault('node_hang', ['load_one'], 0.8), 3 * HOUR)
  assert.ok((loud.load_one?.min ?? 0) > 500)
  assert.ok((loud.cpu_user?.max ?? 99) < 1)
})

test('node_down: only standby is left, Nagios says critical, and the node comes back', () => {
  const fault = oneFault('node_down', ['total_power'])
  const seen = during(fault)
  assert.ok((seen.total_power?.max ?? 99) <= 40)
  assert.equal(seen.p0_power?.max, 0)
  assert.equal(seen.load_one?.count, 0)
  assert.equal(seen.gpu0_core_temp?.count, 0)

  const machine = new Machine({ nodes: 2, seed: 21, startMs: START, faults: [fault] })
  const states: number[][] = []
  const load = machine.sensors.indexOf('load_one')
  let back = 0
  machine.advance(
    fault.endMs + 2 * HOUR,
    (node, sensor, _value, timeMs) => {
      if (node === 0 && sensor === load && timeMs > fault.endMs) back++
    },
    (node, state, _drained, timeMs) => {
      if (node === 0) states.push([timeMs, state])
    },
  )
  for (const [timeMs = 0, state] of states) {
    // The restart at the end takes eight minutes.
    if (timeMs > fault.startMs + 20_000 && timeMs < fault.endMs + 480_000) assert.equal(state, 2)
  }
  assert.equal(states.at(-1)?.[1], 0)
  assert.ok(back > 50)
})
