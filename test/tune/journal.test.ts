import assert from 'node:assert/strict'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Journal, JournalError } from '../../src/tune/journal.ts'
import type { TrialResult } from '../../src/tune/trial.ts'
import { folder } from '../history/parquet.ts'

const result = (trial: number, rung = 0): TrialResult => ({
  trial,
  rung,
  values: { code: 3 },
  share: 1,
  criterion: 0.5,
  loss: 0.1,
  seconds: 1,
  peakBytes: 2,
  expectedBytes: 3,
  failed: null,
  died: false,
})
const identity = { 'the history': 'a', 'the space': 'b' }

function written(): string {
  const path = join(folder(), 'journal.ndjson')
  const journal = Journal.open(path, identity)
  journal.append(result(0))
  journal.append(result(1))
  journal.close()
  return path
}

test('results are found again, and appended ones follow', () => {
  const path = written()
  const journal = Journal.open(path, identity)
  assert.equal(journal.held, 2)
  assert.deepEqual(journal.find(1, 0), result(1))
  assert.equal(journal.find(1, 1), undefined)
  journal.append(result(1, 1))
  journal.close()
  const again = Journal.open(path, identity)
  assert.deepEqual(again.find(1, 1), result(1, 1))
  again.close()
})

test('wherever a kill cuts the file, whole lines count and the next result stands on a line of its own', () => {
  const whole = readFileSync(written())
  for (let length = 0; length < whole.length; length++) {
    const path = join(folder(), 'cut.ndjson')
    writeFileSync(path, whole)
    truncateSync(path, length)
    const lines = whole.subarray(0, length).toString().split('\n').length - 1
    const journal = Journal.open(path, identity)
    assert.equal(journal.held, Math.max(0, lines - 1), `cut at ${length}`)
    journal.append(result(7))
    journal.close()
    const again = Journal.open(path, identity)
    assert.deepEqual(again.find(7, 0), result(7))
    again.close()
  }
})

test("another search's journal is refused with what differs", () => {
  assert.throws(
    () => Journal.open(written(), { ...identity, 'the space': 'c', 'the criterion': 'd' }),
    (error) =>
      error instanceof JournalError &&
      /belongs to another search: the space, the criterion differ/.test(error.message),
  )
})

test('damage before the end is not taken for a kill', () => {
  const path = written()
  writeFileSync(path, readFileSync(path, 'utf8').replace('"trial":0', '"trial:0'))
  assert.throws(() => Journal.open(path, identity), { name: 'JournalError', message: /ndjson:2: not a line/ })
})
