import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderTable } from '../../src/evaluate/table.ts'

test('numbers stand right-aligned with fixed decimals, text left-aligned, null as a dash', () => {
  const table = renderTable(
    [{ title: 'node' }, { title: 'AUROC', decimals: 3 }, { title: 'windows' }, { title: 'µs', decimals: 1 }],
    [
      ['r206n05', 0.8664, 1234567890, null],
      ['µ', null, 7, 12.25],
      ['', Number.NaN, -1, Infinity],
    ],
  )
  assert.equal(
    table,
    [
      'node     AUROC     windows        µs',
      '───────  ─────  ──────────  ────────',
      'r206n05  0.866  1234567890         –',
      'µ            –           7      12.3',
      '             –          -1  Infinity',
    ].join('\n'),
  )
})

test('a table without rows is its head, a last text column leaves no blanks behind', () => {
  assert.equal(renderTable([{ title: 'a' }, { title: 'b' }], []), 'a  b\n─  ─')
  assert.equal(renderTable([{ title: 'long title' }], [['x']]), 'long title\n──────────\nx')
})

test('a row of another width is refused', () => {
  assert.throws(
    () => renderTable([{ title: 'a' }], [['x'], ['x', 1]]),
    /row 1 has 2 cells, the table has 1 columns/,
  )
})
