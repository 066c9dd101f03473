import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Decoder } from '../../src/examon/decode.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { SimulatorSource } from '../../src/sources/simulator.ts'
import type { SourceRecord } from '../../src/sources/source.ts'

const START = Date.UTC(2026, 0, 5)
const MINUTE = 60_000

function machine(nodes = 3): Machine {
  return new Machine({ nodes, seed: 6, startMs: START, faults: [] })
}

async function readAll(source: SimulatorSource): Promise<SourceRecord[]> {
  await source.start()
  const records: SourceRecord[] = []
  assert.deepEqual(await source.poll(10), { kind: 'assigned', partitions: [0], isWhole: true })
  for (;;) {
    const event = await source.poll(10)
    if (event.kind === 'records') {
      assert.ok(event.records.length > 0 && event.records.length < 5000)
      records.push(...event.records)
    } else if (event.kind === 'end') return records
  }
}

test('what the decoder makes of the records is what the machine emitted', async () => {
  const endMs = START + 40 * MINUTE
  const source = new SimulatorSource({ machine: machine(), speed: 'max', endMs })
  const records = await readAll(source)
  assert.deepEqual(
    records.map((record) => record.offset),
    records.map((_, i) => i),
  )
  assert.deepEqual(source.progress(), [{ partition: 0, position: records.length, end: records.length }])

  const expected: string[] = []
  const reference = machine()
  reference.advance(endMs, (node, sensor, value, timeMs) => {
    const { name, rack } = reference.nodes[node] ?? {}
    expected.push(`${name} ${rack} ${reference.sensors[sensor]} ${value} ${timeMs}`)
  })
  const decoder = new Decoder()
  const decoded: string[] = []
  const drops = new Map<string, number>()
  let drained = 0
  for (const record of records) {
    decoder.decode(record, {
      sample: ({ node, rack, sensor }, value, timeMs) =>
        decoded.push(`${node} ${rack} ${sensor} ${value} ${timeMs}`),
      maintenance: () => drained++,
      drop: (reason) => drops.set(reason, (drops.get(reason) ?? 0) + 1),
    })
  }
  const extra = / (state|cpu_aidle|disk_total) /
  assert.deepEqual(
    decoded.filter((sample) => !extra.test(sample)),
    expected,
  )
  // Each node is checked once in a quarter of an hour, and Ganglia's four text metrics come with it.
  assert.ok(drained >= 6 && drained <= 9)
  assert.deepEqual([...drops], [['not_numeric', 4 * drained]])
})

test("the wire form is ExaMon's", async () => {
  const records = await readAll(
    new SimulatorSource({ machine: machine(1), speed: 'max', endMs: START + 20 * MINUTE }),
  )
  const lines = records.map((record) => `${record.key}\t${record.value}`)
  const has = (pattern: RegExp): void =>
    assert.ok(
      lines.some((line) => pattern.test(line)),
      `${pattern}`,
    )
  has(
    /^org\/cineca\/cluster\/marconi100\/node\/r205n01\/rack\/205\/chassis\/NA\/slot\/01\/plugin\/ipmi_pub\/chnl\/data\/units\/degreesC\/ambient\t\d+(\.\d)?;1767571\d{3}\.\d{3}$/,
  )
  has(/\/node\/r205n01\/plugin\/ganglia_pub\/chnl\/data\/gcluster\/marconi100\/group\/load\/load_one\t/)
  has(
    /\/plugin\/nagios_pub\/chnl\/data\/description\/batchs::client::state\/.*nagiosdrained\/0\/.*\/state\t0;/,
  )
  has(/\/os_release\t4\.14\.0-115\.21\.2\.el7a\.ppc64le;/)
  assert.ok(lines.every((line) => (line.split('\t')[0]?.split('/').length ?? 0) % 2 === 1))
})

test('speed follows the clock, and idle comes when nothing is due', async () => {
  // A million times real time: half a simulated day is due within 50 ms.
  const fast = new SimulatorSource({ machine: machine(), speed: 1e6, endMs: START + 30 * MINUTE })
  const instant = new SimulatorSource({ machine: machine(), speed: 'max', endMs: START + 30 * MINUTE })
  assert.equal((await readAll(fast)).length, (await readAll(instant)).length)

  const slow = new SimulatorSource({ machine: machine(), speed: 1e-6 })
  await slow.start()
  await slow.poll(1)
  assert.deepEqual(await slow.poll(5), { kind: 'idle' })
  // Closing ends a wait at once.
  const waiting = slow.poll(60_000)
  await slow.close()
  assert.deepEqual(await waiting, { kind: 'idle' })
})

test('a speed that is none is refused', () => {
  assert.throws(
    () => new SimulatorSource({ machine: machine(), speed: 0 }),
    /speed is "max" or above 0, not 0/,
  )
})
