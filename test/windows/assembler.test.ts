import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Series } from '../../src/examon/sample.ts'
import { Assembler, type ClosedWindow } from '../../src/windows/assembler.ts'
import type { FeatureSchema } from '../../src/windows/schema.ts'

const MINUTE = 60_000
const QUARTER = 15 * MINUTE
/** A whole quarter of an hour. */
const BASE = Date.UTC(2020, 2, 9)
const FAR = Number.MAX_SAFE_INTEGER

function schema(everySeconds = 900): FeatureSchema {
  const metrics = ['a', 'b'].map((name) => ({ name, sensors: [name], expectedSamples: 1 }))
  return {
    lengthSeconds: 900,
    everySeconds,
    statistics: ['avg', 'var', 'max', 'min'],
    ddof: 1,
    metrics,
    transforms: metrics.flatMap(() => ['none', 'none', 'none', 'none'] as const),
  }
}

/** An assembler with a short way to feed it; series are numbered as they come, offsets count up. */
function feed(everySeconds = 900) {
  const assembler = new Assembler(schema(everySeconds))
  const known = new Map<string, Series>()
  let next = 0
  return {
    assembler,
    add(node: string, sensor: string, value: number, timeMs: number, partition = 0, offset = next++) {
      const key = `${node} ${sensor}`
      const series = known.get(key) ?? { id: known.size, node, rack: null, sensor }
      known.set(key, series)
      return assembler.add(series, value, BASE + timeMs, partition, offset)
    },
    close: (toMs: number): ClosedWindow[] => assembler.close(toMs === FAR ? FAR : BASE + toMs),
  }
}

const startsOf = (windows: ClosedWindow[]): number[] =>
  windows.map(({ startMs }) => (startMs - BASE) / MINUTE)
const values = ({ block }: ClosedWindow, row: number): number[] => [
  ...block.values.slice(row * 8, row * 8 + 8),
]

test('a window holds the statistics of its samples, one row a node', () => {
  const { add, close } = feed()
  for (const [i, value] of [4, 2, 9].entries()) assert.equal(add('n1', 'a', value, i * MINUTE), null)
  add('n2', 'b', -7, MINUTE)
  const [window, ...others] = close(QUARTER)
  assert.ok(window)
  assert.deepEqual(others, [])
  assert.equal(window.endMs - window.startMs, QUARTER)
  assert.deepEqual(values(window, 0), [5, 13, 9, 2, Number.NaN, Number.NaN, Number.NaN, Number.NaN])
  // A single sample has no spread.
  assert.deepEqual(values(window, 1), [Number.NaN, Number.NaN, Number.NaN, Number.NaN, -7, 0, -7, -7])
  assert.deepEqual([...window.block.counts], [3, 0, 0, 1])
  assert.deepEqual([...window.block.label], [-1, -1])
})

test('a constant series has a variance of exactly 0, over several panes too', () => {
  const { add, close } = feed(60)
  for (let i = 0; i < 45; i++) add('n', 'a', 0.1, i * 20_000)
  const whole = close(FAR).find((window) => window.startMs === BASE)
  assert.ok(whole)
  assert.deepEqual(values(whole, 0).slice(0, 4), [0.1, 0, 0.1, 0.1])
})

describe('refusals', () => {
  test('a metric that the schema lacks', () => {
    const { assembler, add, close } = feed()
    assert.equal(add('n', 'c', 1, 0), 'unknown_metric')
    assert.deepEqual([...assembler.neededOffsets()], [])
    assert.deepEqual(close(FAR), [])
  })

  test('the time of the last sample of the series once more', () => {
    const { add, close } = feed()
    assert.equal(add('n', 'a', 1, MINUTE), null)
    assert.equal(add('n', 'a', 100, MINUTE), 'duplicate')
    assert.equal(add('n', 'b', 1, MINUTE), null)
    assert.equal(add('m', 'a', 1, MINUTE), null)
    const [window] = close(FAR)
    assert.equal(window?.block.values[0], 1)
  })

  test('a sample whose windows are all closed, and only that', () => {
    const { add, close } = feed(300)
    add('n', 'a', 1, 0)
    add('n', 'a', 1, 14 * MINUTE)
    assert.deepEqual(startsOf(close(QUARTER)), [-10, -5, 0])
    assert.equal(add('n', 'b', 1, 4 * MINUTE), 'late')
    // The windows from 5 and 10 minutes on are still open.
    assert.equal(add('n', 'b', 7, 5 * MINUTE), null)
    const [next] = close(20 * MINUTE)
    assert.deepEqual([next && startsOf([next]), next?.block.values[4]], [[5], 7])
  })

  test('a refused sample leaves offsets alone', () => {
    const { assembler, add, close } = feed()
    add('n', 'a', 1, 0)
    close(QUARTER)
    assert.equal(add('n', 'a', 1, MINUTE), 'late')
    assert.deepEqual([...assembler.neededOffsets()], [])
  })
})

describe('closing', () => {
  test('is in order of time, once each, and waits for the end of a window', () => {
    const { add, close } = feed()
    add('n', 'a', 1, QUARTER)
    add('n', 'a', 1, 0)
    assert.deepEqual(close(QUARTER - 1), [])
    assert.deepEqual(startsOf(close(2 * QUARTER)), [0, 15])
    assert.deepEqual(close(FAR), [])
  })

  test('passes over windows without a sample', () => {
    const { add, close } = feed()
    add('n', 'a', 1, 0)
    add('n', 'a', 1, 96 * QUARTER)
    assert.deepEqual(startsOf(close(FAR)), [0, 96 * 15])
  })

  test('at any time while nothing is open loses no later window', () => {
    const { add, close } = feed()
    close(1000 * 1000)
    assert.equal(add('n', 'a', 1, 1100 * 1000), null)
    assert.deepEqual(startsOf(close(2000 * 1000)), [15])
  })

  test('long after the newest sample, as the clock does in a pause, makes nothing after the pause late', () => {
    const { add, close } = feed()
    add('n', 'a', 1, 0)
    assert.deepEqual(startsOf(close(100 * QUARTER)), [0])
    assert.equal(add('n', 'a', 2, QUARTER + MINUTE), null)
    assert.deepEqual(startsOf(close(100 * QUARTER)), [15])
  })

  test('in small steps gives the same windows as at once', () => {
    for (const every of [300, 900]) {
      const all = feed(every)
      const steps = feed(every)
      const found: ClosedWindow[] = []
      for (let minute = 0; minute < 120; minute += 7) {
        // A pause in the middle.
        if (minute > 30 && minute < 80) continue
        all.add('n', 'a', minute, minute * MINUTE)
        steps.add('n', 'a', minute, minute * MINUTE)
        found.push(...steps.close(minute * MINUTE))
      }
      found.push(...steps.close(FAR))
      assert.deepEqual(found, all.close(FAR), `every ${every} s`)
    }
  })

  test('gives a row to nodes that are known or came later', () => {
    const { assembler, add, close } = feed()
    assert.equal(assembler.addNode('silent'), 0)
    assert.equal(assembler.addNode('silent'), 0)
    // More nodes than a new pane has room for.
    for (let i = 0; i < 50; i++) add(`n${i}`, 'a', i, i)
    add('late', 'a', 7, QUARTER)
    const [first, second] = close(FAR)
    assert.ok(first && second)
    assert.deepEqual(assembler.nodes.slice(0, 2), ['silent', 'n0'])
    assert.equal(first.block.rows, 52)
    assert.deepEqual([...first.block.node], [...Array(52).keys()])
    for (let i = 0; i < 50; i++) assert.equal(first.block.values[(i + 1) * 8], i)
    assert.deepEqual([values(first, 0)[0], values(first, 51)[0]], [Number.NaN, Number.NaN])
    assert.equal(values(second, 51)[0], 7)
  })
})

test('many series have room', () => {
  const { add, close } = feed()
  for (let i = 0; i < 3000; i++) assert.equal(add(`n${i}`, 'a', i, 0), null)
  const [window] = close(FAR)
  assert.equal(window?.block.values[2999 * 8], 2999)
})

test('needed offsets are the lowest of the open panes, by partition', () => {
  const { assembler, add, close } = feed(300)
  const needed = () => Object.fromEntries(assembler.neededOffsets())
  add('n', 'a', 1, 0, 0, 10)
  add('m', 'a', 1, MINUTE, 1, 70)
  add('n', 'b', 1, 7 * MINUTE, 0, 11)
  add('n', 'b', 1, 6 * MINUTE, 0, 9)
  add('n', 'b', 1, 8 * MINUTE, 0, 12)
  add('m', 'a', 1, 12 * MINUTE, 1, 71)
  assert.deepEqual(needed(), { 0: 9, 1: 70 })
  close(QUARTER)
  // The pane from 0 on is in no open window any more, that from 5 minutes on is.
  assert.deepEqual(needed(), { 0: 9, 1: 71 })
  close(20 * MINUTE)
  assert.deepEqual(needed(), { 1: 71 })
  close(FAR)
  assert.deepEqual(needed(), {})
})

describe('reboots', () => {
  const BOOT = 1_583_000_000
  const rebooted = (window: ClosedWindow | undefined): number[] => [...(window?.rebooted ?? [])]

  test('are seen when the boot time moves, in the window where it does', () => {
    const { add, close } = feed()
    add('n', 'a', 1, 0)
    add('m', 'a', 1, 0)
    assert.equal(add('n', 'boottime', BOOT, 0), 'unknown_metric')
    add('n', 'boottime', BOOT + 60, MINUTE)
    add('n', 'a', 1, QUARTER)
    add('n', 'boottime', BOOT + 5000, QUARTER)
    add('n', 'a', 1, 2 * QUARTER)
    const windows = close(FAR)
    assert.deepEqual(windows.map(rebooted), [
      [0, 0],
      [1, 0],
      [0, 0],
    ])
  })

  test('are not a slow drift, nor a reading from before the boot that comes late', () => {
    const { add, close } = feed()
    for (let i = 0; i < 10; i++) add('n', 'boottime', BOOT + i * 30, i * MINUTE)
    add('n', 'a', 1, 0)
    assert.deepEqual(rebooted(close(QUARTER)[0]), [0])
    add('n', 'a', 1, QUARTER)
    add('n', 'boottime', BOOT + 5000, QUARTER)
    close(2 * QUARTER)
    add('n', 'a', 1, 2 * QUARTER)
    add('n', 'boottime', BOOT, 2 * MINUTE)
    add('n', 'boottime', BOOT + 5000, 2 * QUARTER)
    assert.deepEqual(rebooted(close(FAR)[0]), [0])
  })

  test('do not make a window without samples', () => {
    const { add, close } = feed()
    add('n', 'boottime', BOOT, 0)
    add('n', 'boottime', BOOT + 5000, QUARTER)
    assert.deepEqual(close(FAR), [])
  })
})

test('a length that is no multiple of the distance is refused', () => {
  assert.throws(() => new Assembler(schema(420)), /length 900 s is no multiple of every = 420 s/)
})
