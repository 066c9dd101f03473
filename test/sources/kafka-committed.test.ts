import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { CommittedOnly } from '../../src/sources/kafka-committed.ts'

const TRANSACTIONAL = 16
const CONTROL = 32
type Kind = 'plain' | 'data' | 'commit' | 'abort'

function batch(kind: Kind, producer: number, offset: number): RecordsBatch {
  const isMarker = kind === 'commit' || kind === 'abort'
  const key = Buffer.from([0, 0, 0, kind === 'commit' ? 1 : 0])
  return {
    attributes: (kind === 'plain' ? 0 : TRANSACTIONAL) | (isMarker ? CONTROL : 0),
    producerId: BigInt(producer),
    firstOffset: BigInt(offset),
    records: isMarker ? [{ key }] : [],
  } as unknown as RecordsBatch // what is read of one
}

/** Offsets handed on after each batch. */
function run(log: [Kind, number][], filter = new CommittedOnly()): number[] {
  return log.flatMap(([kind, producer], offset) =>
    filter.take(batch(kind, producer, offset)).map(({ firstOffset }) => Number(firstOffset)),
  )
}

test('one producer aborts twice and then commits', () => {
  const log: [Kind, number][] = [
    ['data', 1],
    ['abort', 1],
    ['data', 1],
    ['abort', 1],
    ['data', 1],
    ['data', 1],
    ['commit', 1],
  ]
  assert.deepEqual(run(log), [4, 5])
})

test('transactions between one another, and records of none', () => {
  const log: [Kind, number][] = [
    ['data', 1],
    ['plain', -1],
    ['data', 2],
    ['data', 1],
    ['commit', 2],
    ['abort', 1],
  ]
  assert.deepEqual(run(log), [1, 2])
})

test('what is open is told by the offset where it began', () => {
  const filter = new CommittedOnly()
  filter.take(batch('data', 1, 5))
  filter.take(batch('data', 1, 9))
  assert.deepEqual([filter.isOpenBelow(5), filter.isOpenBelow(6)], [false, true])
  filter.take(batch('abort', 1, 10))
  assert.equal(filter.isOpenBelow(100), false)
})

test('a marker whose records were cleaned away says nothing', () => {
  assert.deepEqual(run([['commit', 3]]), [])
})

test('handed on is exactly what a commit follows before any abort of its producer', () => {
  const entry = fc.tuple(
    fc.constantFrom<Kind>('plain', 'data', 'commit', 'abort'),
    fc.integer({ min: 1, max: 3 }),
  )
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), (log) => {
      const expected = log.flatMap(([kind, producer], offset) => {
        if (kind === 'plain') return [offset]
        if (kind !== 'data') return []
        const end = log.slice(offset).find(([k, p]) => p === producer && (k === 'commit' || k === 'abort'))
        return end?.[0] === 'commit' ? [offset] : []
      })
      assert.deepEqual(
        run(log).sort((a, b) => a - b),
        expected,
      )
    }),
  )
})
