import { setImmediate as others } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { WindowsConfig } from '../config/schema.ts'
import type { DetectorOptions } from '../detect/detector.ts'
import type { AvroSchemas } from '../examon/avro.ts'
import type { FormOption } from '../examon/forms/form.ts'
import type { Bundle } from '../model/bundle.ts'
import { Scorer } from '../model/scorer.ts'
import type { Sink } from '../sinks/sink.ts'
import type { RegistrySchemas } from '../sources/schema-registry.ts'
import type { Source, SourceEvent } from '../sources/source.ts'
import type { ModelFacts, Telemetry } from '../telemetry/telemetry.ts'
import { featureCount } from '../windows/schema.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { ExactlyOnce } from './exactly-once.ts'
import { parseNodeState } from './node-state.ts'
import { type Emission, Pipeline } from './pipeline.ts'
import { StallWatch } from './stall.ts'
import { Watermark } from './watermark.ts'
import { writeToSinks } from './write.ts'

export interface EngineParts {
  bundle: Bundle
  source: Source
  sinks: readonly Sink[]
  /** State across restarts, or null for sources that start anew each time. */
  checkpoint: Checkpoint | null
  /** Makes results and progress one; without it they follow one another, and a crash between them repeats. */
  exactlyOnce?: ExactlyOnce | null
  telemetry: Telemetry
  windows: WindowsConfig
  detect: DetectorOptions
  /** How records carry samples; by default told by content. */
  form?: FormOption | undefined
  /** Schemas of Avro records, and where those that are missing come from. */
  schemas?: { known: AvroSchemas; registry: RegistrySchemas | null } | null
}

/** A model to be taken up. */
interface ModelChange {
  bundle: Bundle
  scorer: Scorer
  detect: DetectorOptions
  done(): void
}

type Assigned = Extract<SourceEvent, { kind: 'assigned' }>

/** Longest wait for records, ms: the granularity of watermark, lag and stop. */
const POLL_MS = 250
const LAG_EVERY_MS = 1000
/** How often somebody beside the loop looks whether it moves, ms. */
const STALL_CHECK_MS = 5_000
/** Input counts as silent after this many idle time-outs. */
const SILENT_AFTER = 2

/**
 * The long-running loop. Order of each turn: records into windows; closed windows into flags; flags into every sink;
 * then node states; then offsets. Offsets thus stand behind emitted flags: a crash repeats, it never loses. Between topics of
 * one Kafka cluster it does not even repeat, for there the last three are one transaction.
 */
export class Engine {
  private parts: EngineParts
  private change: ModelChange | null = null
  private scorer: Scorer | null = null
  private pipeline: Pipeline | null = null
  private watermark = new Watermark([], 0, 0)
  /** By partition, the offset after the last record taken in, or where reading begins. */
  private positions = new Map<number, number>()
  /** When the last record came, by the steady clock. */
  private heardMs = performance.now()
  private silent = false
  private lagAtMs = Number.NEGATIVE_INFINITY
  private readonly stall: StallWatch
  /** Those that are not part of a transaction. */
  private readonly ownSinks: readonly Sink[]
  /** Wall clock at the beginning of the turn, and the one that nobody sets: time-outs go by that. */
  private nowMs = 0
  private steadyMs = 0

  constructor(parts: EngineParts) {
    this.parts = parts
    this.stall = new StallWatch(parts.telemetry)
    this.ownSinks = parts.sinks.filter((sink) => parts.exactlyOnce?.includes(sink) !== true)
  }

  /** Loads the model and connects everything; rejects with what is wrong before anything is read. */
  async start(): Promise<void> {
    const { bundle, source, sinks, telemetry } = this.parts
    this.scorer = await Scorer.create(bundle.model, featureCount(bundle.manifest.schema))
    telemetry.modelLoaded(factsOf(bundle))
    for (const sink of sinks) await sink.start()
    await this.parts.exactlyOnce?.start()
    await source.start()
  }

  /** Runs until the signal aborts or a bounded source ends. */
  async run(signal: AbortSignal): Promise<void> {
    const { source } = this.parts
    const watch = setInterval(() => this.stall.check(), STALL_CHECK_MS)
    try {
      for (;;) {
        if (signal.aborted) return await this.commit(new Map())
        const event = await source.poll(POLL_MS)
        if (event.kind === 'end') return await this.finish(signal)
        await this.turn(event, signal)
        this.noteTurn()
        // A source that always has more would else keep page, signals and timers waiting.
        await others()
      }
    } finally {
      clearInterval(watch)
    }
  }

  /**
   * Takes up another model and other settings at the beginning of the next turn; open windows and alarms stay. Rejects where the
   * model does not load, or where its schema differs, so that open windows would not fit.
   */
  async replace(bundle: Bundle, detect: DetectorOptions): Promise<void> {
    const { schema } = bundle.manifest
    if (!isDeepStrictEqual(schema, this.parts.bundle.manifest.schema))
      throw new Error(`${bundle.path} has other windows, metrics or features, which needs a restart`)
    const scorer = await Scorer.create(bundle.model, featureCount(schema))
    await new Promise<void>((resolve) => {
      this.change = { bundle, scorer, detect, done: resolve }
    })
  }

  /** Releases everything; what is not committed is read again by the next start. */
  async close(): Promise<void> {
    const { source, sinks, checkpoint, exactlyOnce } = this.parts
    const closing = [
      source.close(),
      ...sinks.map((sink) => sink.close()),
      checkpoint?.close(),
      exactlyOnce?.close(),
    ]
    const failed = (await Promise.allSettled(closing)).find((result) => result.status === 'rejected')
    await this.scorer?.release()
    if (failed !== undefined) throw failed.reason
  }

  private async turn(event: SourceEvent, signal: AbortSignal): Promise<void> {
    const now = Date.now()
    const steady = performance.now()
    this.nowMs = now
    this.steadyMs = steady
    await this.takeUpChange()
    if (event.kind === 'assigned') await this.assign(event)
    if (event.kind === 'records') {
      this.hear(steady)
      await this.parts.schemas?.registry?.prepare(event.records, signal)
      if (signal.aborted) return // what was not decoded is read again by the next start
      this.pipeline?.ingest(event.records, now)
      for (const { partition, offset } of event.records) this.positions.set(partition, offset + 1)
    }
    if (this.pipeline === null) return
    this.reportLag(steady)
    this.listen(steady)
    const reached = this.watermark.advance(this.parts.source.progress(), steady, now)
    if (!Number.isFinite(reached)) return
    this.parts.telemetry.watermark(reached)
    await this.emit(reached - this.parts.windows.lateness * 1000, signal)
  }

  private async takeUpChange(): Promise<void> {
    if (this.change === null) return
    const { bundle, scorer, detect, done } = this.change
    this.change = null
    const before = this.scorer
    this.scorer = scorer
    this.parts = { ...this.parts, bundle, detect }
    this.pipeline?.replaceModel(bundle, scorer, detect)
    await before?.release()
    this.parts.telemetry.modelLoaded(factsOf(bundle))
    done()
  }

  /** A bounded source is at its end: what is open is all there will be. */
  private async finish(signal: AbortSignal): Promise<void> {
    await this.emit(Number.MAX_SAFE_INTEGER, signal)
  }

  /** A new assignment: what was in memory for others is void, states come from the checkpoint. */
  private async assign({ partitions, isWhole }: Assigned): Promise<void> {
    const { bundle, source, telemetry, windows, detect, checkpoint, form, schemas } = this.parts
    if (this.scorer === null) throw new Error('the engine was not started')
    this.positions = new Map(source.progress().map(({ partition, position }) => [partition, position]))
    // Only a bus tells the time of today; history and simulator have a clock of their own, and an end.
    const isLive = source.kind === 'kafka' || source.kind === 'mqtt'
    const idleMs = isLive ? windows.idle_timeout * 1000 : Number.POSITIVE_INFINITY
    this.watermark = new Watermark(partitions, idleMs, this.steadyMs)
    telemetry.assigned(partitions)
    this.pipeline = new Pipeline(
      bundle,
      this.scorer,
      telemetry,
      {
        ...detect,
        futureSkewMs: isLive ? windows.future_skew * 1000 : Number.POSITIVE_INFINITY,
        forgetAfterMs: windows.forget_after * 1000,
        latenessMs: windows.lateness * 1000,
        form,
        schemas: schemas?.known,
        isWhole,
      },
      // A node whose clock is ahead must not make the samples of all others late.
      (partition, timeMs) =>
        this.watermark.observe(partition, isLive ? Math.min(timeMs, this.nowMs) : timeMs, this.steadyMs),
    )
    if (checkpoint !== null) {
      const states = new Map(
        [...(await checkpoint.restore())].flatMap(([node, value]) => {
          const state = parseNodeState(value)
          if (state === null) telemetry.sourceEvent('state_unreadable', `state of ${node} starts anew`)
          return state === null ? [] : [[node, state] as const]
        }),
      )
      this.pipeline.restore(states, partitions)
    }
    // Fixes where a new group begins: a crash before the first window's end must not skip what came meanwhile.
    await this.commit(new Map())
    telemetry.ready()
  }

  private async emit(toMs: number, signal: AbortSignal): Promise<void> {
    if (this.pipeline === null) return
    const started = performance.now()
    const emission = await this.pipeline.close(toMs)
    if (emission.flags.length === 0) return
    const { telemetry, exactlyOnce = null } = this.parts
    const isSafe =
      (await writeToSinks(this.ownSinks, emission, telemetry, signal)) &&
      (exactlyOnce === null || (await exactlyOnce.commit(emission, this.offsets(this.pipeline), signal)))
    if (!isSafe) {
      this.pipeline = null // its windows are gone undelivered, so nothing may be committed any more
      return
    }
    telemetry.closeToFlag((performance.now() - started) / 1000)
    for (const flag of emission.flags) telemetry.flag(flag)
    for (const alarm of emission.alarms) telemetry.alarm(alarm)
    for (const node of emission.forgotten) telemetry.nodeForgotten(node)
    if (exactlyOnce === null) await this.commit(emission.states)
  }

  /** Stores states of nodes, then how far the input is dealt with. */
  private async commit(states: Emission['states']): Promise<void> {
    if (this.pipeline === null) return
    const { source, checkpoint, telemetry } = this.parts
    const started = performance.now()
    const offsets = this.offsets(this.pipeline)
    try {
      if (states.size > 0) await checkpoint?.save(states)
      await source.commit(offsets)
      telemetry.commitDone((performance.now() - started) / 1000)
    } catch (error) {
      // The next commit covers this one; until then a crash repeats a little more.
      telemetry.commitFailed(error)
    }
  }

  /** By partition, the offset from which a restart has to read. */
  private offsets(pipeline: Pipeline): Map<number, number> {
    const offsets = new Map(this.positions)
    for (const [partition, offset] of pipeline.neededOffsets()) {
      offsets.set(partition, Math.min(offset, offsets.get(partition) ?? offset))
    }
    return offsets
  }

  private reportLag(steadyMs: number): void {
    if (steadyMs - this.lagAtMs < LAG_EVERY_MS) return
    this.lagAtMs = steadyMs
    this.parts.telemetry.lag(this.parts.source.progress())
  }

  private noteTurn(): void {
    let [position, lag] = [0, 0]
    for (const progress of this.parts.source.progress()) {
      position += progress.position
      lag += progress.end - progress.position
    }
    this.stall.turned(position, lag)
  }

  private hear(steadyMs: number): void {
    this.heardMs = steadyMs
    if (!this.silent) return
    this.silent = false
    this.parts.telemetry.inputBack()
  }

  private listen(steadyMs: number): void {
    if (this.silent || steadyMs - this.heardMs < SILENT_AFTER * this.parts.windows.idle_timeout * 1000) return
    this.silent = true
    this.parts.telemetry.inputSilent(this.nowMs - (steadyMs - this.heardMs))
  }
}

function factsOf({ version, path, manifest }: Bundle): ModelFacts {
  return {
    version,
    path,
    trainedToMs: manifest.training.toMs,
    nodes: manifest.scaler.nodes.length,
    metrics: manifest.schema.metrics.length,
    features: featureCount(manifest.schema),
    centres: manifest.modes.length,
  }
}
