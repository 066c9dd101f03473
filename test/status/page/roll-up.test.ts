import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AlarmState } from '../../../src/detect/records.ts'
import { changeOf, inAlarm, rollUp } from '../../../src/status/page/roll-up.js'
import { alarmOf, flagOf, LAST_END_MS } from '../machine.ts'

const EVERY_MS = 15 * 60_000

const change = (node: string, state: AlarmState = 'anomalous', window = 0, rack?: string | null) =>
  changeOf(alarmOf(flagOf(node, LAST_END_MS + window * EVERY_MS, 2, state, rack), 'normal'))
const rackOf = (rack: number, nodes: number, state: AlarmState = 'anomalous', window = 0) =>
  Array.from({ length: nodes }, (_, i) => change(`r${rack}n${i + 1}`, state, window))
const titles = (changes: ReturnType<typeof rackOf>) => rollUp(changes).map((g) => g.title)

test('15 nodes of a rack at once are one line, which holds them all', () => {
  const groups = rollUp([...rackOf(205, 15), change('r206n1')])
  assert.deepEqual(
    groups.map((g) => [g.title, g.changes.length]),
    [
      ['15 nodes of rack r205', 15],
      ['r206n1', 1],
    ],
  )
})

test('another state, another time, two of a rack, or no rack: lines of their own', () => {
  assert.deepEqual(titles([...rackOf(1, 3), ...rackOf(1, 2, 'silent')]), [
    '3 nodes of rack r1',
    'r1n1',
    'r1n2',
  ])
  assert.deepEqual(titles([...rackOf(1, 2, 'anomalous', 1), ...rackOf(1, 2)]), [
    'r1n1',
    'r1n2',
    'r1n1',
    'r1n2',
  ])
  const loose = ['a', 'b', 'c', 'd'].map((name) => change(name, 'anomalous', 0, null))
  assert.deepEqual(titles(loose), ['a', 'b', 'c', 'd'])
})

test('a rack whose nodes came between others stands where its first came', () => {
  assert.deepEqual(titles([change('r1n1'), change('r2n1'), change('r1n2'), change('r1n3')]), [
    '3 nodes of rack r1',
    'r2n1',
  ])
})

test('many racks at once are the machine', () => {
  const racks = Array.from({ length: 6 }, (_, r) => rackOf(r + 1, 4)).flat()
  assert.deepEqual(titles([...racks, change('r9n1')]), ['25 nodes of 7 racks'])
  assert.deepEqual(titles(racks.slice(0, 20)).length, 5, 'five racks are still told one by one')
})

test('in alarm now: the anomalous, newest first, then by score', () => {
  const nodes = [
    flagOf('a', LAST_END_MS, 2, 'anomalous'),
    flagOf('b', LAST_END_MS + EVERY_MS, 1.5, 'anomalous'),
    flagOf('c', LAST_END_MS, 3, 'anomalous'),
    flagOf('d', LAST_END_MS, 9, 'pending'),
  ]
  assert.deepEqual(
    inAlarm(nodes).map((c) => c.node),
    ['b', 'c', 'a'],
  )
})
