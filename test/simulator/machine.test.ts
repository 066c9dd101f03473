import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { planFaults } from '../../src/simulator/faults.ts'
import { placeNodes } from '../../src/simulator/layout.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { SENSORS } from '../../src/simulator/sensors.ts'

const START = Date.UTC(2026, 0, 5)
const HOUR = 3_600_000

interface Sample {
  node: number
  sensor: number
  value: number
  timeMs: number
}

function collect(machine: Machine, toMs: number): Sample[] {
  const samples: Sample[] = []
  machine.advance(toMs, (node, sensor, value, timeMs) => samples.push({ node, sensor, value, timeMs }))
  return samples
}

/** A fingerprint of samples and checks when time is cut at these moments. */
function fingerprint(seed: number, cuts: readonly number[]): string {
  const faults = planFaults({
    nodes: placeNodes(3),
    seed: 5,
    fromMs: START,
    toMs: START + 12 * HOUR,
    count: 2,
  })
  const machine = new Machine({ nodes: 3, seed, startMs: START, faults })
  const hash = createHash('sha256')
  const row = new Float64Array(4)
  const add = (...values: number[]): void => {
    row.set(values)
    hash.update(row)
  }
  for (const cut of [...cuts, START + 12 * HOUR]) {
    machine.advance(cut, add, (node, state, drained, timeMs) => add(node, state, drained ? 1 : 0, timeMs))
  }
  return hash.digest('hex')
}

test('the same seed gives the same samples, however time is cut', () => {
  const whole = fingerprint(1, [])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1000, max: 12 * HOUR }), { maxLength: 30 }), (offsets) => {
      const cuts = offsets.sort((a, b) => a - b).map((offset) => START + offset)
      assert.equal(fingerprint(1, cuts), whole)
    }),
    { numRuns: 8 },
  )
  // Cuts at and around the beginning of a tick, where the physics of all nodes moves.
  assert.equal(fingerprint(1, [START, START + 1, START + 20_000, START + 20_001, START + 40_000]), whole)
  assert.notEqual(fingerprint(2, []), whole)
})

test('a node has 88 sensors of IPMI, with 16 core slots a socket in pairs, and 27 of Ganglia', () => {
  const machine = new Machine({ nodes: 25, seed: 3, startMs: START, faults: [] })
  const sets = new Set<string>()
  for (const node of machine.nodes) {
    assert.equal(node.sensors.length, 115)
    for (const socket of [0, 1]) {
      const cores = node.sensors
        .map((name) => new RegExp(`^p${socket}_core(\\d+)_temp$`).exec(name)?.[1])
        .filter((slot) => slot !== undefined)
        .map(Number)
      assert.equal(cores.length, 16)
      assert.ok(cores.every((slot) => cores.includes(slot ^ 1)))
    }
    sets.add(node.sensors.join())
  }
  assert.ok(sets.size > 20, 'core slots differ from node to node')
  assert.deepEqual(
    [machine.nodes[0], machine.nodes[19], machine.nodes[20]].map((node) => [
      node?.name,
      node?.rack,
      node?.slot,
    ]),
    [
      ['r205n01', '205', '01'],
      ['r205n20', '205', '20'],
      ['r206n01', '206', '01'],
    ],
  )
})

test('samples come in time order, one stamp a baseboard read, each metric at its period', () => {
  const hours = 12
  const machine = new Machine({ nodes: 5, seed: 11, startMs: START, faults: [] })
  const samples = collect(machine, START + hours * HOUR)
  let last = START
  const stamps = new Map<string, Set<number>>()
  const counts = new Float64Array(SENSORS.length)
  for (const { node, sensor, timeMs } of samples) {
    assert.ok(timeMs >= last && timeMs < START + hours * HOUR)
    last = timeMs
    counts[sensor] = (counts[sensor] ?? 0) + 1
    if (SENSORS[sensor]?.plugin === 'ipmi_pub') {
      const read = `${node}@${Math.floor((timeMs - START) / 20_000)}`
      stamps.set(read, (stamps.get(read) ?? new Set()).add(timeMs))
    }
  }
  assert.ok([...stamps.values()].every((times) => times.size === 1))
  for (const [i, sensor] of SENSORS.entries()) {
    if (/_core\d+_temp$/.test(sensor.name)) continue
    const expected = (5 * hours * 3600) / sensor.periodSeconds
    const share = (counts[i] ?? 0) / expected
    // Losses, outages of a BMC, a reboot; Ganglia's rounds slip.
    assert.ok(share > 0.85 && share < 1.03, `${sensor.name}: ${share.toFixed(3)} of the expected samples`)
  }
})

test('samples and whole reads get lost now and then', () => {
  const machine = new Machine({ nodes: 4, seed: 4, startMs: START, faults: [] })
  const reads = new Map<string, number>()
  for (const { node, sensor, timeMs } of collect(machine, START + 24 * HOUR)) {
    if (SENSORS[sensor]?.plugin === 'ipmi_pub')
      reads.set(`${node}@${timeMs}`, (reads.get(`${node}@${timeMs}`) ?? 0) + 1)
  }
  const lostReads = 1 - reads.size / (4 * 4320)
  const holed = [...reads.values()].filter((n) => n < 88).length / reads.size
  assert.ok(lostReads > 0.001 && lostReads < 0.05, `lost reads ${lostReads}`)
  assert.ok(holed > 0.01 && holed < 0.1, `reads with holes ${holed}`)
})

test('nodes reboot and are drained now and then, and Nagios tells', () => {
  const days = 24
  const machine = new Machine({ nodes: 8, seed: 8, startMs: START, faults: [] })
  const boottime = machine.sensors.indexOf('boottime')
  const boots = Array.from({ length: 8 }, () => new Set<number>())
  let checks = 0
  let drained = 0
  machine.advance(
    START + days * 24 * HOUR,
    (node, sensor, value) => {
      if (sensor === boottime) boots[node]?.add(value)
    },
    (_node, state, isDrained) => {
      checks++
      if (isDrained) {
        drained++
        assert.equal(state, 2)
      }
    },
  )
  assert.equal(checks, 8 * days * 96)
  const reboots = boots.reduce((sum, seen) => sum + seen.size - 1, 0)
  assert.ok(reboots > 2 && reboots < 30, `${reboots} reboots`)
  const share = drained / checks
  assert.ok(share > 0.001 && share < 0.03, `drained ${share}`)
})

test('wrong sizes and starts are refused', () => {
  assert.throws(
    () => new Machine({ nodes: 0, seed: 1, startMs: START, faults: [] }),
    /at least one node, not 0/,
  )
  assert.throws(() => new Machine({ nodes: 1, seed: 1, startMs: START + 7, faults: [] }), /multiple of 20 s/)
})
