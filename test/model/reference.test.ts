import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { openBundle } from '../../src/model/bundle.ts'
import {
  REFERENCE_BUNDLE,
  REFERENCE_WINDOWS,
  type ReferenceWindows,
  scoreReference,
} from '../support/reference.ts'

const table = JSON.parse(readFileSync(REFERENCE_WINDOWS, 'utf8')) as ReferenceWindows

test('the reference bundle loads and has the version that the table names', () => {
  assert.equal(openBundle(REFERENCE_BUNDLE).version, table.model)
})

test('its scores of the committed windows are what they were, to 1e-5', async () => {
  const flags = await scoreReference(openBundle(REFERENCE_BUNDLE), table.windows)
  assert.ok(table.windows.length >= 24)
  assert.ok(
    table.windows.some(({ score }) => score !== null && score >= 1),
    'the table holds a fault',
  )
  assert.ok(
    table.windows.some(({ score }) => score !== null && score < 1),
    'and normal windows',
  )
  flags.forEach((flag, i) => {
    const { node, score, mode } = table.windows[i]!
    assert.ok(score !== null && flag.score !== null)
    assert.ok(Math.abs(flag.score - score) <= 1e-5, `window ${i} of ${node}: ${flag.score}, was ${score}`)
    assert.equal(flag.mode, mode)
  })
})
