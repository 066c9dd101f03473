import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { openBundle } from '../../src/model/bundle.ts'
import type { TrialResult } from '../../src/tune/trial.ts'
import type { TuneResult } from '../../src/tune/tune.ts'
import { writeMachine } from '../bootstrap/machine.ts'
import { folder } from '../history/parquet.ts'

const PROGRAM = new URL('../../bin/examon-dec.js', import.meta.url).pathname

/** Tiny networks: a trial takes about a second, most of it to start its process. */
const SEARCH = `training:
  pretrain: {epochs: 8, batch: 32, learning_rate: 0.01}
  cluster: {max_iterations: 20}
tune:
  trials: 5
  min_epochs: 2
  parallel: 2
  space:
    hidden: [[12], [16], [8, 6]]
    code: {min: 2, max: 5}
    centres: [2, 3]
`

let machine: string
let labelled: string
/** A search that ran from begin to end. */
let whole: ReturnType<typeof place> & { result: TuneResult }
before(async () => {
  machine = await writeMachine({ hours: 48 })
  // Within the held-out fifth, node 2 is anomalous for five hours; its power says so.
  const label = `CASE WHEN n = 1 AND i BETWEEN 2400 AND 2700 THEN 1 ELSE 0 END`
  labelled = join(folder(), 'labelled.parquet')
  copyFileSync(
    await writeMachine({ hours: 48, label, extra: `, 50 + 40 * (${label}) + (hash(i + n) % 10) AS inlet` }),
    labelled,
  )
  const at = place()
  whole = { ...at, ...search(at.argv(machine)) }
})

function place(config = SEARCH): { argv(history: string): string[]; out: string; work: string } {
  const home = folder()
  const file = join(home, 'tune.yaml')
  writeFileSync(file, config)
  const out = join(home, 'model')
  return {
    argv: (history) => [PROGRAM, 'tune', '--history', history, '--config', file, '--out', out, '--json'],
    out,
    work: `${out}.tune`,
  }
}

function search(argv: string[]): { result: TuneResult; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return { result: JSON.parse(stdout) as TuneResult, stderr }
}

/** What a result says apart from what it took. */
function outcome({ trial, rung, values, criterion, loss }: TrialResult) {
  return { trial, rung, values, criterion, loss }
}

const journalLines = (work: string): string[] =>
  existsSync(join(work, 'journal.ndjson'))
    ? readFileSync(join(work, 'journal.ndjson'), 'utf8').split('\n').slice(0, -1)
    : []

test('a search that is killed goes on where it was and ends as one that was not', async () => {
  assert.equal(whole.result.criterion, 'synthetic')
  assert.deepEqual(
    whole.result.rungs.map(({ trials }) => trials),
    [5, 1],
  )
  assert.equal(journalLines(whole.work).length, 1 + 5 + 1)
  assert.equal(openBundle(whole.out).version, whole.result.bundle.version)
  assert.ok(whole.result.leaderboard.every(({ peakBytes }) => peakBytes > 50 * 2 ** 20))

  const killed = place()
  const child = spawn(process.execPath, killed.argv(machine), { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.on('close', resolve))
  while (journalLines(killed.work).length < 3) await new Promise((resolve) => setTimeout(resolve, 10))
  const workers = childrenOf(child.pid ?? 0)
  child.kill('SIGKILL')
  await ended
  const kept = journalLines(killed.work)
  assert.ok(!existsSync(killed.out), 'killed before there was a bundle')

  const again = search(killed.argv(machine))
  assert.match(again.stderr, /going on with \d results of an earlier run/)
  assert.doesNotMatch(again.stderr, /read windows/, 'the prepared windows are used again')
  assert.deepEqual(journalLines(killed.work).slice(0, kept.length), kept, 'what was done is not done again')
  assert.equal(journalLines(killed.work).length, 7)
  assert.deepEqual(again.result.leaderboard.map(outcome), whole.result.leaderboard.map(outcome))
  assert.equal(again.result.bundle.version, whole.result.bundle.version)
  for (const pid of workers) assert.ok(!isAlive(pid), 'trials end with the search that started them')
  assert.ok(!existsSync(join(killed.work, 'prepared')))
})

test('the winner is the configuration that is written, and bootstrap trains the same model from it', () => {
  const { work, out, result } = whole
  const file = join(work, 'winner.yaml')
  const { training } = loadConfig(file)
  assert.deepEqual(training.hidden, result.winner.values.hidden)
  const text = parse(readFileSync(file, 'utf8')) as { training: { window: string } }
  assert.equal(text.training.window, '15m')
  const again = `${out}-again`
  const { status, stderr } = spawnSync(
    process.execPath,
    [PROGRAM, 'bootstrap', '--history', machine, '--config', file, '--out', again],
    { encoding: 'utf8' },
  )
  assert.equal(status, 0, stderr)
  assert.equal(openBundle(again).version, result.bundle.version)
  const board = JSON.parse(readFileSync(join(work, 'leaderboard.json'), 'utf8')) as {
    winner: number
    trials: { rank: number; trial: number }[]
  }
  assert.equal(board.winner, result.winner.trial)
  assert.deepEqual(
    board.trials.map(({ trial }) => trial),
    result.leaderboard.map(({ trial }) => trial),
  )
})

test('labels of the held-out windows rank trials where there are any', () => {
  const { result } = search(place(SEARCH.replace('trials: 5', 'trials: 2')).argv(labelled))
  assert.equal(result.criterion, 'average-precision')
  assert.ok((result.winner.criterion ?? 0) > 0.5)
})

test('without a space of its own a search also tries the configuration as it stands', () => {
  const config = `${SEARCH.slice(0, SEARCH.indexOf('  space:')).replace('trials: 5', 'trials: 2')}  strategy: random
`
  const { result, stderr } = search(place(config).argv(machine))
  const standing = result.leaderboard.find(({ trial }) => trial === 0)
  assert.deepEqual(standing?.values, {})
  assert.ok(standing.criterion !== null)
  assert.ok((result.winner.criterion ?? 0) >= standing.criterion)
  assert.match(stderr, /trial 0, rung 1\/1: synthetic .* \(as configured\)/)
})

test('a trial that learns nothing fails; should it lead all the same, the guards refuse it and the next one wins', () => {
  const config = `${SEARCH.slice(0, SEARCH.indexOf('  space:')).replace('trials: 5', 'trials: 2')}  strategy: random
  space: {pretrain: {learning_rate: [0.01, 0.0000001], initialiser: [normal-0.01]}}
`
  const { argv, work } = place(config.replace('learning_rate: 0.01', 'learning_rate: 0.02'))
  const { result } = search(argv(machine))
  assert.equal(result.winner.values['pretrain.learning_rate'], 0.01)
  const last = result.leaderboard[1]
  assert.match(last?.failed ?? '', /no better than predicting the mean/)
  assert.deepEqual(result.refused, [])

  const journal = join(work, 'journal.ndjson')
  const failed = `"criterion":null,"loss":null`
  const text = readFileSync(journal, 'utf8')
  assert.ok(text.includes(failed))
  writeFileSync(journal, text.replace(failed, `"criterion":1,"loss":0`))
  const { result: again } = search(argv(machine))
  assert.equal(again.leaderboard[0]?.trial, last?.trial)
  assert.deepEqual(
    again.refused.map(({ trial }) => trial),
    [last?.trial],
  )
  assert.match(again.refused[0]?.reason ?? '', /no better than predicting the mean/)
  assert.equal(again.winner.trial, result.winner.trial)
  assert.equal(again.bundle.version, result.bundle.version)
})

test('another space in the same folder is refused, and the bundle stays', () => {
  const { work, out, argv } = whole
  writeFileSync(join(work, '..', 'tune.yaml'), SEARCH.replace('[2, 3]', '[4]'))
  const { status, stderr } = spawnSync(process.execPath, argv(machine), { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /belongs to another search: the trials \(tune.space, tune.trials, tune.seed\) differ/)
  assert.equal(openBundle(out).version, whole.result.bundle.version)
})

test('a space that the history has no room for is refused with its place', () => {
  const { argv } = place(SEARCH.replace('max: 5', 'max: 50').replace('parallel: 2', 'memory: 1MiB'))
  const { status, stderr } = spawnSync(process.execPath, argv(machine), { encoding: 'utf8' })
  assert.equal(status, 2)
  assert.match(stderr, /tune.yaml:10:25: tune.space.code.max: 50 is more than the 20 features/)
  assert.match(stderr, /tune.yaml:7:11: tune.memory: 1.00 MiB is below the \d+ MiB/)
})

/** Processes that a process has started; none where the system does not tell. */
function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : []
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
