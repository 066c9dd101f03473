import assert from 'node:assert/strict'
import { test } from 'node:test'

// By its address, so that the checker does not want the types of a browser for the rest of the module.
const page = new URL('../../../src/status/page/format.js', import.meta.url).href
const { number, percent, scoreText } = (await import(page)) as Record<
  string,
  (value: number | null) => string
>

test('numbers keep three digits and stay readable', () => {
  const shown: [number | null, string][] = [
    [null, '–'],
    [0, '0'],
    [0.00012, '1.20e-4'],
    [0.0123, '0.0123'],
    [61.34, '61.3'],
    [183.84, '183.8'],
    [12_345.6, '12,346'],
    [999_999, '999,999'],
    [1_523_456, '1.52 M'],
    [-6_180_000, '-6.18 M'],
    [123_456_789_012, '123 G'],
    [2e13, '20.0 T'],
    [3e15, '3.00e15'],
  ]
  for (const [value, text] of shown) assert.equal(number?.(value), text)
})

test('a score never seems to be on the other side of the threshold', () => {
  assert.deepEqual(
    [0.996, 0.9999, 1, 1.004, 123.4, null].map((score) => scoreText?.(score)),
    ['0.99', '0.99', '1.00', '1.00', '123', 'not scored'],
  )
})

test('a share that is not nothing does not seem to be', () => {
  assert.deepEqual(
    [0, 0.001, 0.5, 1, null].map((share) => percent?.(share)),
    ['0 %', '< 1 %', '50 %', '100 %', '–'],
  )
})
