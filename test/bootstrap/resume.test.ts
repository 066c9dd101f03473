import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPrepared, prepare } from '../../src/bootstrap/prepare.ts'
import type { Progress } from '../../src/bootstrap/progress.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { createRandom } from '../../src/model/random.ts'
import { folder, withHistory } from '../history/parquet.ts'
import { place, run, silent, training, writeMachine } from './machine.ts'

const OPTIONS = {
  pretrain: { epochs: 12 },
  cluster: { update_interval: 8, max_iterations: 60, tolerance: 0 },
}
let machine: string
/** Of a run that nothing interrupts. */
let version: string

before(async () => {
  machine = await writeMachine()
  version = (await run(machine, place().out, OPTIONS)).version
})

/** Aborts as soon as a step has advanced to `done`. */
async function interrupt(out: string, step: string, done: number, options = OPTIONS): Promise<void> {
  const controller = new AbortController()
  const progress: Progress = {
    step: (name) => ({
      advance: (at) => {
        if (name === step && at >= done) controller.abort()
      },
      finish() {},
    }),
  }
  await assert.rejects(run(machine, out, options, { progress, signal: controller.signal }), {
    name: 'AbortError',
  })
}

/** Runs to the end; tells what the progress said of going on. */
async function goOn(
  out: string,
  options: Parameters<typeof run>[2] = OPTIONS,
): Promise<{ version: string; said: string[]; steps: string[] }> {
  const said: string[] = []
  const steps: string[] = []
  const progress: Progress = {
    step: (name) => ({
      advance() {},
      finish(note = '') {
        if (name === 'resume') said.push(note)
        else steps.push(name)
      },
    }),
  }
  return { version: (await run(machine, out, options, { progress })).version, said, steps }
}

const READ = 'continues with 576 windows that an interrupted run has read'

for (const [step, done, expected] of [
  ['train autoencoder', 1, 'continues after epoch 1 of 12 of the autoencoder'],
  ['train autoencoder', 7, 'continues after epoch 7 of 12 of the autoencoder'],
  ['train DEC', 0, 'continues after iteration 0 of at most 60 of DEC'],
  ['train DEC', 40, 'continues after iteration 40 of at most 60 of DEC'],
] as const) {
  test(`interrupted at ${done} of "${step}" it goes on there, to the same bits`, async () => {
    const { out, left } = place()
    await interrupt(out, step, done)
    const again = await goOn(out)
    assert.deepEqual(again.said, [READ, expected])
    assert.ok(!again.steps.includes('read windows'))
    assert.equal(again.version, version)
    assert.deepEqual(left(), ['model'])
  })
}

test('interrupted twice, and with plain SGD and rows in order', async () => {
  const options = {
    pretrain: { ...OPTIONS.pretrain, optimiser: 'sgd', learning_rate: 0.1, schedule: 'step', step_epochs: 5 },
    cluster: { ...OPTIONS.cluster, optimiser: 'sgd', learning_rate: 0.01 },
  } as const
  const expected = await run(machine, place().out, options)
  const { out } = place()
  await interrupt(out, 'train autoencoder', 6, options as unknown as typeof OPTIONS)
  await interrupt(out, 'train DEC', 16, options as unknown as typeof OPTIONS)
  assert.equal((await goOn(out, options)).version, expected.version)
})

test('interrupted between two layers of layer-wise pretraining', async () => {
  const options = { ...OPTIONS, pretrain: { epochs: 12, layerwise: { epochs: 2, dropout: 0.2 } } }
  const expected = await run(machine, place().out, options)
  const { out } = place()
  await interrupt(out, 'train layer by layer', 3, options)
  const again = await goOn(out, options)
  assert.deepEqual(again.said, [READ, 'continues after layer 1 of 3'])
  assert.equal(again.version, expected.version)
})

test('other options of training train anew on the windows that are there', async () => {
  const { out } = place()
  await interrupt(out, 'train DEC', 16)
  const other = { ...OPTIONS, seed: 9 }
  const again = await goOn(out, other)
  assert.deepEqual(again.said, [
    READ,
    'trains anew: what is kept is of other options of training, or damaged',
  ])
  assert.equal(again.version, (await run(machine, place().out, other)).version)
})

test('other options of selection, or a changed file, start anew and say why', async () => {
  const { out } = place()
  await interrupt(out, 'train DEC', 16)
  const reason =
    'starts anew: the history, the catalogue or the options of windows and selection have changed'
  const other = await goOn(out, { ...OPTIONS, holdout: 0.3 })
  assert.deepEqual(other.said, [reason])
  assert.ok(other.steps.includes('read windows'))
  await interrupt(out, 'train DEC', 16)
  utimesSync(machine, new Date(), new Date())
  const touched = await goOn(out)
  assert.deepEqual([touched.said, touched.version], [[reason], version])
})

test('two processes never train for one bundle; a number left behind by a dead one does not count', async () => {
  const { out, left } = place()
  const work = join(dirname(out), '.model.training')
  mkdirSync(work, { recursive: true })
  writeFileSync(join(work, 'process'), String(process.ppid))
  await assert.rejects(run(machine, out, OPTIONS), {
    code: 'busy',
    message: `process ${process.ppid} is training for ${out}; wait for it, choose another --out, or remove ${join(work, 'process')} if that process is something else`,
  })
  // What is no file can not be taken over, and is told instead of being waited for.
  rmSync(join(work, 'process'))
  mkdirSync(join(work, 'process'))
  await assert.rejects(run(machine, out, OPTIONS), { code: 'not_writable' })
  rmSync(join(work, 'process'), { recursive: true })
  // One that is about to end is waited for.
  const ending = spawn('sleep', ['0.3'])
  writeFileSync(join(work, 'process'), String(ending.pid))
  assert.equal((await goOn(out)).version, version)
  mkdirSync(work, { recursive: true })
  // No process has this number: it is above the system's highest.
  writeFileSync(join(work, 'process'), '2147483646')
  assert.equal((await goOn(out)).version, version)
  assert.deepEqual(left(), ['model'])
})

test('prepared windows open again, more than once, with the same rows', async () => {
  const directory = join(folder(), 'prepared')
  await withHistory([machine], async (history) => {
    const made = await prepare(
      { history, catalogue: null, training: training(), progress: silent },
      directory,
    )
    const others = [await openPrepared(directory), await openPrepared(directory)]
    const order = async ({ rows }: typeof made): Promise<number[]> => {
      const positions: number[] = []
      for await (const batch of rows.batches(100, { shuffle: true, random: createRandom(1) })) {
        positions.push(...batch.positions, ...batch.x)
      }
      return positions
    }
    const { rows: _, store: __, release: ___, ...plain } = made
    for (const other of others) {
      const { rows: _rows, store, release, ...same } = other
      assert.deepEqual(same, plain)
      assert.deepEqual(await order(other), await order(made))
      assert.deepEqual(store.read('values', 0, 576), made.store.read('values', 0, 576))
      await release()
    }
    await made.release()
    assert.deepEqual(readdirSync(directory).sort(), ['prepared.json', 'rows.f32', 'scaler.bin', 'windows'])
  })
})

test('killed with -9, the command line goes on as well', async () => {
  const { out } = place()
  const config = join(folder(), 'train.yaml')
  // Long enough to be killed in the middle of it.
  const options = { ...OPTIONS, pretrain: { epochs: 120 } }
  writeFileSync(config, `training: ${JSON.stringify(options)}`)
  const program = new URL('../../src/cli/main.ts', import.meta.url).pathname
  const script = `const { main } = await import(${JSON.stringify(program)}); process.exitCode = await main(process.argv.slice(1))`
  const start = (to: string): { ended: Promise<string>; kill(): void } => {
    const args = ['bootstrap', '--history', machine, '--config', config, '--out', to]
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let text = ''
    child.stderr.on('data', (more) => {
      text += more
    })
    return {
      ended: new Promise((done) => child.on('close', () => done(text))),
      kill: () => void child.kill('SIGKILL'),
    }
  }
  const state = join(dirname(out), '.model.training', 'state.bin')
  const first = start(out)
  while (!(existsSync(state) && /"losses":\[[^\]]+,/.test(readFileSync(state, 'latin1')))) await sleep(20)
  first.kill()
  await first.ended
  assert.ok(!existsSync(out))
  const text = await start(out).ended
  assert.match(text, /^resume: .*continues after epoch \d+ of 120 of the autoencoder$/m)
  assert.equal(openBundle(out).version, (await run(machine, place().out, options)).version)
  assert.ok(!existsSync(dirname(state)))
})
