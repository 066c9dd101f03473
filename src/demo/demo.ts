import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bootstrap } from '../bootstrap/bootstrap.ts'
import type { Progress } from '../bootstrap/progress.ts'
import type { BootstrapResult } from '../bootstrap/publish.ts'
import { defaultConfig } from '../config/load.ts'
import { detectorOptions } from '../detect/options.ts'
import type { AlarmRecord } from '../detect/records.ts'
import type { Checkpoint } from '../engine/checkpoint.ts'
import { Engine } from '../engine/engine.ts'
import { loadCatalogue } from '../examon/catalogue.ts'
import { openHistory } from '../history/history.ts'
import { openBundle } from '../model/bundle.ts'
import { type Fault, planFaults } from '../simulator/faults.ts'
import { writeHistory } from '../simulator/history.ts'
import { placeNodes } from '../simulator/layout.ts'
import { Machine } from '../simulator/machine.ts'
import { writeTruth } from '../simulator/truth.ts'
import { NdjsonSink } from '../sinks/ndjson.ts'
import { SimulatorSource } from '../sources/simulator.ts'
import { startHttp } from '../telemetry/http.ts'
import { createLogger } from '../telemetry/logger.ts'
import { Telemetry } from '../telemetry/telemetry.ts'
import { type DemoResult, judge } from './judge.ts'

export interface DemoOptions {
  /** Folder for everything the demo makes; its earlier content of that kind is replaced. */
  directory: string
  seed: number
  port: number
  version: string
  progress: Progress
  signal: AbortSignal
  /** Told once the page can be opened. */
  onListening: (url: string) => void
}

/** One full rack and a small one: a fault of a rack's cooling then is not one of the whole machine. */
const NODES = 24
const HISTORY_DAYS = 4
const LIVE_DAYS = 2
/** One of each kind. */
const FAULTS = 10
/** No fault in the first hours: the detector warms up. */
const QUIET_MS = 3 * 3_600_000
const DAY_MS = 86_400_000
const HISTORY_FROM = Date.parse('2020-03-09T00:00:00Z')
/** Times real time once the faults are judged: a window closes every four seconds. */
const LINGER_SPEED = 240
/** The fleet under watch is small, so the threshold is set for one false flag a node in two weeks. */
const FALSE_FLAGS_PER_NODE_WEEK = 0.5

/** The whole line on this machine: history, model, live stream, flags, and how many of the injected faults it found. */
export class Demo {
  private readonly options: DemoOptions
  private readonly telemetry: Telemetry
  private readonly states: Checkpoint = memoryCheckpoint()
  private readonly machine: Machine
  private readonly faults: Fault[]
  private readonly liveFrom = HISTORY_FROM + HISTORY_DAYS * DAY_MS
  private readonly liveTo = HISTORY_FROM + (HISTORY_DAYS + LIVE_DAYS) * DAY_MS
  private http: { url: string; close(): Promise<void> } | null = null

  constructor(options: DemoOptions) {
    this.options = options
    // The table tells what happened; of the log only what needs attention is shown.
    this.telemetry = new Telemetry({ logger: createLogger('error'), version: options.version })
    this.faults = planFaults({
      nodes: placeNodes(NODES),
      seed: options.seed,
      fromMs: this.liveFrom + QUIET_MS,
      toMs: this.liveTo,
      count: FAULTS,
    })
    this.machine = new Machine({
      nodes: NODES,
      seed: options.seed,
      startMs: this.liveFrom,
      faults: this.faults,
    })
  }

  /** Everything up to the verdict. */
  async run(): Promise<DemoResult> {
    const { directory, signal } = this.options
    mkdirSync(directory, { recursive: true })
    for (const name of ['history', 'flags.ndjson', 'alarms.ndjson']) {
      rmSync(join(directory, name), { recursive: true, force: true })
    }
    await this.simulate()
    const model = await this.train()
    this.http = await startHttp({ host: '127.0.0.1', port: this.options.port, telemetry: this.telemetry })
    this.options.onListening(this.http.url)
    await this.live('max', this.liveTo, signal)
    signal.throwIfAborted()
    return judge({
      faults: this.faults,
      alarms: this.alarms(),
      nodes: this.machine.nodes.map(({ name }) => name),
      days: LIVE_DAYS,
      windowSeconds: openBundle(join(directory, 'model')).manifest.schema.lengthSeconds,
      model,
    })
  }

  /** Goes on at a speed that one can watch, until the signal aborts. */
  async linger(): Promise<void> {
    await this.live(LINGER_SPEED, Number.POSITIVE_INFINITY, this.options.signal)
  }

  async close(): Promise<void> {
    await this.http?.close()
  }

  private async simulate(): Promise<void> {
    const step = this.options.progress.step('simulate history', 1)
    await writeHistory({
      directory: join(this.options.directory, 'history'),
      layout: 'samples',
      nodes: NODES,
      seed: this.options.seed,
      fromMs: HISTORY_FROM,
      toMs: this.liveFrom,
      faults: [],
      progress: (share) => step.advance(share),
      signal: this.options.signal,
    })
    step.finish(`${NODES} nodes, ${HISTORY_DAYS} days`)
    await writeTruth(join(this.options.directory, 'truth.json'), {
      seed: this.options.seed,
      nodes: this.machine.nodes.map(({ name }) => name),
      fromMs: this.liveFrom,
      toMs: this.liveTo,
      faults: this.faults,
    })
  }

  private async train(): Promise<BootstrapResult> {
    const { directory, progress, signal, seed } = this.options
    const history = await openHistory([join(directory, 'history', '*.parquet')])
    try {
      const { training } = defaultConfig()
      return await bootstrap({
        history,
        catalogue: loadCatalogue(CATALOGUE),
        training: { ...training, seed, false_flags_per_node_week: FALSE_FLAGS_PER_NODE_WEEK },
        out: join(directory, 'model'),
        progress,
        signal,
      })
    } finally {
      history.close()
    }
  }

  private async live(speed: number | 'max', toMs: number, signal: AbortSignal): Promise<void> {
    const { directory, progress } = this.options
    const bounded = Number.isFinite(toMs)
    const step = bounded ? progress.step('live stream', toMs - this.liveFrom) : null
    const config = defaultConfig()
    const source = new SimulatorSource({
      machine: this.machine,
      speed,
      ...(bounded ? { endMs: toMs } : {}),
    })
    const engine = new Engine({
      bundle: openBundle(join(directory, 'model')),
      source,
      sinks: [
        new NdjsonSink({
          flags: join(directory, 'flags.ndjson'),
          alarms: join(directory, 'alarms.ndjson'),
          anomalousOnly: false,
        }),
      ],
      checkpoint: this.states,
      telemetry: this.telemetry,
      windows: config.windows,
      detect: detectorOptions(config.detect),
    })
    const timer = setInterval(() => {
      const watermark = this.telemetry.status.daemon.watermark
      if (watermark !== null) step?.advance(Date.parse(watermark) - this.liveFrom)
    }, 200)
    try {
      await engine.start()
      await engine.run(signal)
    } finally {
      clearInterval(timer)
      await engine.close()
    }
    step?.finish(`${LIVE_DAYS} days, ${FAULTS} faults injected`)
  }

  private alarms(): AlarmRecord[] {
    return readFileSync(join(this.options.directory, 'alarms.ndjson'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AlarmRecord)
  }
}

const CATALOGUE = fileURLToPath(new URL('../../config/marconi100.catalogue.yaml', import.meta.url))

/** States within the process, so that the stream goes on at another speed with the same memory. */
function memoryCheckpoint(): Checkpoint {
  const states = new Map<string, unknown>()
  return {
    async restore() {
      return states
    },
    async save(changed) {
      for (const [node, state] of changed) states.set(node, state)
    },
    async close() {},
  }
}
