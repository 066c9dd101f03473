/**
 * Bootstrap on more windows than memory holds, at two sizes: what each step takes, the largest resident memory, and its
 * ratio. Windows are made by eight modes plus noise and handed in as a history would be; all else is the program.
 * `node test/bench/large.ts [--rows 5000000] [--features 460] [--directory .]`; it needs 6 kB of disk a window of 460
 * features, 29 GB for five million.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bootstrap } from '../../src/bootstrap/bootstrap.ts'
import { defaultConfig } from '../../src/config/load.ts'
import type { TrainingConfig } from '../../src/config/schema.ts'
import type { History } from '../../src/history/types.ts'
import { createRandom } from '../../src/model/random.ts'
import { machine } from '../compare/machine.ts'

const MODES = 8
const NODES = 980
const STATISTICS = ['avg', 'var', 'max', 'min'] as const
const WINDOW_MS = 900_000
const BLOCK_ROWS = 1024
/** Numbers drawn once; windows take runs of them, which costs a copy and not a draw a value. */
const POOL = 1 << 20
/** Rows of the smaller run. */
const SMALLER = 0.1

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    features: { type: 'string', default: '460' },
    directory: { type: 'string', default: '.' },
    /** One run, told of on stdout as JSON. */
    child: { type: 'boolean', default: false },
    epochs: { type: 'string', default: '1' },
  },
})
const [rows, features] = [Number(values.rows), Number(values.features)]

/** Windows of a machine as a history hands them out, in blocks. */
function syntheticHistory(count: number, metrics: number): History {
  const random = createRandom(1)
  const d = metrics * STATISTICS.length
  const centres = Float64Array.from({ length: MODES * d }, () => 100 * random.uniform())
  const noise = Float64Array.from({ length: POOL }, () => 3 * random.normal())
  const windows = Math.ceil(count / NODES)
  return {
    layout: 'wide-windows',
    files: [],
    nodes: Array.from({ length: NODES }, (_, i) => `n${String(i).padStart(3, '0')}`),
    sensors: Array.from({ length: metrics }, (_, i) => `metric${i}`),
    labelled: false,
    fromMs: 0,
    toMs: windows * WINDOW_MS,
    fixed: { statistics: [...STATISTICS], ddof: 1, lengthSeconds: WINDOW_MS / 1000 },
    async *windows(_, { signal } = {}) {
      for (let first = 0; first < count; first += BLOCK_ROWS) {
        signal?.throwIfAborted()
        const n = Math.min(BLOCK_ROWS, count - first)
        const block = {
          rows: n,
          node: Int32Array.from({ length: n }, (_unused, i) => (first + i) % NODES),
          start: Float64Array.from(
            { length: n },
            (_unused, i) => WINDOW_MS * Math.floor((first + i) / NODES),
          ),
          values: new Float64Array(n * d),
          counts: new Uint16Array(n * metrics).fill(1),
          label: new Int8Array(n).fill(-1),
        }
        for (let i = 0; i < n; i++) {
          const centre = random.integer(MODES) * d
          const from = random.integer(POOL - d)
          // Both offsets leave room for d values.
          for (let f = 0; f < d; f++)
            block.values[i * d + f] = Math.abs(centres[centre + f]! + noise[from + f]!)
        }
        yield block
      }
    },
    samples: () => {
      throw new Error('finished windows hold no samples')
    },
    close: () => {},
  }
}

interface Run {
  rows: number
  epochs: number
  seconds: Record<string, number>
  peakMB: number
}

/** A few epochs of the autoencoder and two updates of the target distribution; the network is the default one. */
function training(): TrainingConfig {
  const config = defaultConfig().training
  return {
    ...config,
    // All windows train; the threshold comes from as many of them as calibration looks at.
    holdout: 0,
    pretrain: { epochs: Number(values.epochs) },
    cluster: { update_interval: 500, max_iterations: 1000, tolerance: 0 },
  }
}

async function run(): Promise<Run> {
  const home = mkdtempSync(join(resolve(values.directory), 'large-'))
  process.env.TMPDIR = home
  process.once('exit', () => rmSync(home, { recursive: true, force: true }))
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  const seconds: Record<string, number> = {}
  let last = performance.now()
  await bootstrap({
    history: syntheticHistory(rows, features / STATISTICS.length),
    catalogue: null,
    training: training(),
    out: join(home, 'model'),
    progress: {
      step: (name) => ({
        advance() {},
        finish(note = '') {
          seconds[name] = (performance.now() - last) / 1000
          last = performance.now()
          process.stderr.write(
            `${name}: ${seconds[name]?.toFixed(0)} s, ${note}, peak ${peakMB().toFixed(0)} MB\n`,
          )
        },
      }),
    },
  })
  seconds.publish = (performance.now() - last) / 1000
  return { rows, epochs: Number(values.epochs), seconds, peakMB: peakMB() }
}

/** The most that was ever resident. */
function peakMB(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
}

/** A run in a process of its own, whose memory starts from nothing. */
function childRun(count: number, epochs: number): Promise<Run> {
  const sizes = ['--rows', String(count), '--features', values.features, '--epochs', String(epochs)]
  const args = [import.meta.filename, '--child', ...sizes, '--directory', values.directory]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  return new Promise((done, fail) => {
    child.on('close', (code) =>
      code === 0 ? done(JSON.parse(out) as Run) : fail(new Error(`run ended with ${code}`)),
    )
  })
}

if (values.child) {
  process.stdout.write(JSON.stringify(await run()))
} else {
  // As many steps in either.
  const runs = [await childRun(Math.round(rows * SMALLER), 1 / SMALLER), await childRun(rows, 1)]
  const [small, large] = runs as [Run, Run]
  console.log(`${machine()}; ${features} features, default network`)
  for (const each of runs) {
    const steps = Object.entries(each.seconds).map(([name, s]) => `${name} ${s.toFixed(0)} s`)
    const rate = (each.epochs * each.rows) / (each.seconds['train autoencoder'] ?? Number.NaN)
    console.log(
      `${each.rows} windows: peak ${each.peakMB.toFixed(0)} MB resident; ${rate.toFixed(0)} windows/s in the autoencoder; ${steps.join(', ')}`,
    )
  }
  console.log(
    `peak of ${large.rows} windows over that of ${small.rows}: ${(large.peakMB / small.peakMB).toFixed(2)}`,
  )
}
