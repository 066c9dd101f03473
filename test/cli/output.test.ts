import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProgress, formatSpan } from '../../src/cli/output.ts'

function terminal(isTTY: boolean, columns = 80) {
  const written: string[] = []
  return { isTTY, columns, written, write: (text: string) => written.push(text) > 0 }
}

test('off a terminal a step is one line, whatever advances', () => {
  const out = terminal(false)
  let clock = 0
  const step = createProgress(out, () => clock).step('fit scaler', 10)
  for (let i = 1; i <= 10; i++) {
    clock += 200
    step.advance(i)
  }
  step.finish('460 features')
  assert.deepEqual(out.written, ['fit scaler: 2.0 s, 460 features\n'])
})

test('on a terminal a bar is drawn with the time left, at most ten times a second, and ends as one line', () => {
  const out = terminal(true)
  let clock = 0
  const step = createProgress(out, () => clock).step('autoencoder', 1000)
  for (let i = 1; i <= 250; i++) {
    clock += 40
    step.advance(i, 'loss 0.0114')
  }
  step.finish()
  const drawings = out.written.filter((text) => text.includes('autoencoder  '))
  assert.ok(drawings.length > 50 && drawings.length <= 101, `${drawings.length} drawings in ten seconds`)
  // A quarter in ten seconds leaves thirty.
  assert.match(drawings.at(-1) ?? '', /█{6}░{18} {2}2[45] % {2}3[01] s left {2}loss 0\.0114$/)
  assert.equal(out.written.at(-1), 'autoencoder: 10 s\n')
})

test('a line never fills the terminal, for it would wrap', () => {
  const out = terminal(true, 30)
  createProgress(out, () => 0).step('a step with quite a long name', 10)
  assert.ok(out.written.every((text) => text.length < 30))
})

test('work of unknown size shows what is done', () => {
  const out = terminal(true)
  let clock = 0
  const step = createProgress(out, () => clock).step('read history')
  clock = 500
  step.advance(1234)
  assert.equal(out.written.at(-1), 'read history  1234  0.5 s')
})

test('spans are written for people', () => {
  const spans = [0, 449, 9949, 9950, 59_499, 59_500, 185_000, 7_800_000]
  assert.deepEqual(spans.map(formatSpan), [
    '0.0 s',
    '0.4 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 00 s',
    '3 min 05 s',
    '2 h 10 min',
  ])
})
