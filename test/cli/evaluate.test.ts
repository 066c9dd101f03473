import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from '../../src/cli/errors.ts'
import type { Evaluation } from '../../src/evaluate/evaluate.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { folder } from '../history/parquet.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

const program = new URL('../../bin/examon-dec.js', import.meta.url).pathname
const START = Date.parse('2020-03-11T00:00:00Z')

function evaluate(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'evaluate', ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

let history = ''
before(async () => {
  const directory = folder()
  const span = { fromMs: START, toMs: START + 3 * 3_600_000 }
  await writeHistory({ directory, layout: 'samples', nodes: 2, seed: 1, ...span, faults: [] })
  history = join(directory, '*.parquet')
})

test('tables for people, by node when asked, within 120 columns', async () => {
  const { code, stdout, stderr } = await evaluate(
    '--model',
    REFERENCE_BUNDLE,
    '--history',
    history,
    '--nodes',
  )
  assert.deepEqual([code, stderr], [EXIT_OK, ''])
  for (const title of ['DEC by node', 'mean over nodes', 'all nodes together', 'kNN distance + memory']) {
    assert.match(stdout, new RegExp(`^${title.replace('+', '\\+')} `, 'm'))
  }
  const tables = stdout.split('\n').filter((line) => !line.startsWith('note: '))
  for (const line of tables) assert.ok([...line].length <= 120, line)
})

test('--json is one object with every figure, and no detail of windows', async () => {
  const { code, stdout } = await evaluate('--model', REFERENCE_BUNDLE, '--history', history, '--json')
  assert.equal(code, EXIT_OK)
  const evaluation = JSON.parse(stdout) as Evaluation
  assert.equal(evaluation.detectors[0]?.detector, 'DEC')
  assert.equal(evaluation.windows.read, 2 * 3 * 4)
  assert.ok(stdout.length < 100_000)
})

test('--train with another history fails, and says so', async () => {
  const { code, stdout, stderr } = await evaluate(
    '--model',
    REFERENCE_BUNDLE,
    '--history',
    history,
    '--train',
    history,
  )
  assert.deepEqual([code, stdout], [EXIT_FAILED, ''])
  assert.match(stderr, /^examon-dec: --train is not the history that the model was trained on: /)
})

describe('wrong usage', () => {
  const lines: [string, string[], RegExp][] = [
    ['no model', [], /evaluate needs --model DIR, or --preset report/],
    [
      '--train with --preset',
      ['--preset', 'report', '--train', 'x.parquet'],
      /--train and --nodes are for a model/,
    ],
    ['--nodes with --preset', ['--preset', 'report', '--nodes'], /--train and --nodes are for a model/],
  ]
  for (const [name, args, message] of lines) {
    test(name, async () => {
      const { code, stdout, stderr } = await evaluate('--history', 'x.parquet', ...args)
      assert.deepEqual([code, stdout], [EXIT_USAGE, ''])
      assert.match(stderr, message)
    })
  }
})
