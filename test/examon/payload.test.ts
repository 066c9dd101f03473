import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { numberAt, type Reading, readPayload } from '../../src/examon/payload.ts'

/** Payload, then value and time in ms, or the reason why not. */
const TABLE: [string, [number, number] | string][] = [
  ['10822010350093;1658832078.001', [10822010350093, 1658832078001]],
  ['21.4;1658832080.010', [21.4, 1658832080010]],
  ['21.4;1658832080', [21.4, 1658832080000]],
  ['21.4;1658832080.', [21.4, 1658832080000]],
  ['21.4;1658832080.0109999', [21.4, 1658832080010]],
  ['21.4;1658832080.01', [21.4, 1658832080010]],
  ['0.93;1658832080.1234567', [0.93, 1658832080123]],
  ['1;1.658832080123e9', [1, 1658832080123]],
  ['1;0', [1, 0]],
  [' 5 ; 7 ', [5, 7000]],
  ['+5;7', [5, 7000]],
  ['-0.5;7', [-0.5, 7000]],
  ['.5;7', [0.5, 7000]],
  ['5.;7', [5, 7000]],
  ['1e5;7', [100000, 7000]],
  ['1E-3;7', [0.001, 7000]],
  ['9007199254740993;7', [9007199254740992, 7000]],
  ['', 'no_value'],
  [';7', 'no_value'],
  ['21.4', 'bad_payload'],
  ['{"v":58.0,"ts":1716480000123}', 'bad_payload'],
  ['21.4;', 'bad_time'],
  ['21.4;now', 'bad_time'],
  ['21.4;-5', 'bad_time'],
  ['21.4;nan', 'bad_time'],
  ['21.4;inf', 'bad_time'],
  ['21.4;1e999', 'bad_time'],
  ['21.4;1658832080.010x', 'bad_time'],
  ['21.4;1658832080.0.1', 'bad_time'],
  ['21.4;1658832080010', 'bad_time'], // ms where seconds belong
  ['OK - load average: 1;2;1658832080', 'not_numeric'],
  [' ;7', 'not_numeric'],
  ['12abc;7', 'not_numeric'],
  ['0x10;7', 'not_numeric'],
  ['1_000;7', 'not_numeric'],
  ['1,5;7', 'not_numeric'],
  ['1.2.3;7', 'not_numeric'],
  ['.;7', 'not_numeric'],
  ['-;7', 'not_numeric'],
  ['--5;7', 'not_numeric'],
  ['1e;7', 'not_numeric'],
  ['True;7', 'not_numeric'],
  ['nan;7', 'not_finite'],
  ['NaN;7', 'not_finite'],
  ['-inf;7', 'not_finite'],
  ['Infinity;7', 'not_finite'],
  ['1e999;7', 'not_finite'],
  ['-1e151;7', 'not_finite'],
]

for (const [payload, expected] of TABLE) {
  test(`payload ${JSON.stringify(payload)}`, () => {
    const reading: Reading = { value: -1, timeMs: -1 }
    const reason = readPayload(Buffer.from(payload), reading)
    assert.deepEqual(reason ?? [reading.value, reading.timeMs], expected)
  })
}

const read = (text: string) => numberAt(Buffer.from(`;${text};`), 1, text.length + 1)

test('plain decimals are exactly what Number() makes of them', () => {
  const digits = fc.stringMatching(/^[0-9]{1,25}$/)
  const decimal = fc.tuple(
    fc.constantFrom('', '-', '+'),
    digits,
    fc.constantFrom('', '.'),
    fc.stringMatching(/^[0-9]{0,25}$/),
  )
  fc.assert(
    fc.property(decimal, ([sign, whole, dot, fraction]) => {
      const text = `${sign}${whole}${dot}${dot === '' ? '' : fraction}`
      assert.ok(Object.is(read(text), Number(text)), text)
    }),
    { numRuns: 5000 },
  )
})

test('doubles survive, however they are written', () => {
  fc.assert(
    fc.property(
      fc.double({ noDefaultInfinity: true, noNaN: true }),
      fc.integer({ min: 0, max: 20 }),
      (value, places) => {
        assert.ok(value === 0 ? read(String(value)) === 0 : Object.is(read(String(value)), value))
        for (const text of [value.toFixed(places), value.toExponential(places)]) {
          assert.ok(Object.is(read(text), Number(text)), text)
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('times are cut to the ms that their digits say', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4102444800 }),
      fc.stringMatching(/^[0-9]{1,9}$/),
      (seconds, fraction) => {
        const reading: Reading = { value: 0, timeMs: 0 }
        assert.equal(readPayload(Buffer.from(`1;${seconds}.${fraction}`), reading), null)
        assert.equal(reading.timeMs, seconds * 1000 + Number(fraction.padEnd(3, '0').slice(0, 3)))
      },
    ),
  )
})

test('no bytes make it throw, and what it takes is finite', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const reading: Reading = { value: 0, timeMs: 0 }
      if (readPayload(bytes, reading) === null) {
        assert.ok(Number.isFinite(reading.value) && Number.isInteger(reading.timeMs) && reading.timeMs >= 0)
      }
    }),
  )
})
