import type pino from 'pino'
import { Gauge } from 'prom-client'
import type { AlarmRecord, FlagRecord } from '../detect/records.ts'
import type { DropReason } from '../examon/sample.ts'
import type { Sink } from '../sinks/sink.ts'
import type { PartitionProgress } from '../sources/source.ts'
import { StatusStore } from '../status/store.ts'
import { errorText } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { createMetrics } from './metrics.ts'
import { NodeGauges } from './nodes.ts'
import { LogSampler } from './sampling.ts'

/** Drops that a healthy ExaMon bus brings in great number; the others point at something to mend. */
const EXPECTED_DROPS: ReadonlySet<DropReason> = new Set<DropReason>([
  'not_data',
  'no_node',
  'own_output',
  'not_numeric',
  'unknown_metric',
])

/** What a loaded model is, for the log, the metrics and the page. */
export interface ModelFacts {
  /** Content hash of the bundle, as flags carry it. */
  version: string
  path: string
  /** End of the training span, ms since the epoch. */
  trainedToMs: number
  nodes: number
  metrics: number
  features: number
  centres: number
}

const iso = (ms: number): string => new Date(ms).toISOString()

/**
 * Every event of the daemon has one method here; it writes the log line, moves the metric and feeds the status
 * page, so that the three can not tell different stories. Nothing here decides anything or throws.
 */
export class Telemetry {
  readonly status: StatusStore
  readonly #log: pino.Logger
  readonly #metrics: Metrics
  readonly #drops: LogSampler<DropReason>
  readonly #nodes: NodeGauges

  constructor(options: {
    logger: pino.Logger
    version: string
    now?: () => number
    /** Address of a node's dashboard, for the page. */
    nodeLink?: string | undefined
  }) {
    const now = options.now ?? Date.now
    this.#log = options.logger
    this.#metrics = createMetrics(options.version)
    this.#drops = new LogSampler(now)
    this.#nodes = new NodeGauges(this.#metrics)
    this.status = new StatusStore({ version: options.version, now, nodeLink: options.nodeLink })
    const { status } = this
    new Gauge({
      name: 'examon_dec_model_age_seconds',
      help: 'Time since the end of the span that the model was trained on; absent until a model is loaded.',
      registers: [this.#metrics.registry],
      collect() {
        const { model } = status.daemon
        this.reset()
        if (model === null) this.remove()
        else this.set((now() - Date.parse(model.trained_to)) / 1000)
      },
    })
  }

  /** The metrics page, in the Prometheus text format, and its content type. */
  async scrape(): Promise<{ contentType: string; body: string }> {
    const { registry } = this.#metrics
    return { contentType: registry.contentType, body: await registry.metrics() }
  }

  // The daemon's life.

  starting(config: Record<string, unknown>): void {
    this.#notReady('starting')
    this.#log.info({ event: 'starting', version: this.status.daemon.version, config }, 'starting')
  }

  /** Port 0 takes any free one; the log says which. */
  listening(url: string): void {
    this.#log.info({ event: 'listening', url }, `status page and metrics at ${url}`)
  }

  ready(): void {
    this.status.daemon.ready = true
    this.status.daemon.reason = null
    this.#metrics.ready.set(1)
    this.#log.info({ event: 'ready' }, 'ready')
  }

  notReady(reason: string): void {
    this.#notReady(reason)
    this.#log.warn({ event: 'not_ready', reason }, `not ready: ${reason}`)
  }

  /** Why nothing moves though nothing is known to be wrong; null once it moves again. A restart is the remedy. */
  stalled(reason: string | null): void {
    this.status.daemon.stalled = reason
    this.#metrics.stalled.set(reason === null ? 0 : 1)
    if (reason === null) this.#log.info({ event: 'stall_over' }, 'it moves again')
    else this.#log.error({ event: 'stalled', reason }, `stalled: ${reason}`)
  }

  stopping(signal: string): void {
    this.#notReady('stopping')
    this.#log.info({ event: 'stopping', signal }, `stopping on ${signal}`)
  }

  stopped(): void {
    this.#notReady('stopped')
    for (const [reason, suppressed] of this.#drops.drain()) {
      this.#log.info({ event: 'dropped', reason, suppressed }, `${suppressed} more dropped: ${reason}`)
    }
    this.#log.info({ event: 'stopped' }, 'stopped')
  }

  #notReady(reason: string): void {
    this.status.daemon.ready = false
    this.status.daemon.reason = reason
    this.#metrics.ready.set(0)
  }

  // The input.

  recordsRead(n: number): void {
    this.#metrics.recordsRead.inc(n)
    this.#log.trace({ event: 'records', n }, 'records read')
  }

  /** Records acknowledged by the target of `bridge`. */
  bridged(n: number): void {
    this.#metrics.bridged.inc(n)
    this.#log.trace({ event: 'bridged', n }, 'records bridged')
  }

  samplesTaken(n: number): void {
    this.#metrics.samples.inc(n)
    this.status.samplesTaken(n)
    this.#log.trace({ event: 'samples', n }, 'samples taken')
  }

  /** `count` records or samples entered no window. Logged at most once a reason and minute. */
  dropped(reason: DropReason, detail?: string, count = 1): void {
    this.#metrics.drops.inc({ reason }, count)
    this.status.daemon.drops[reason] += count
    const suppressed = this.#drops.take(reason, count)
    if (suppressed === null) return
    const level = EXPECTED_DROPS.has(reason) ? 'debug' : 'warn'
    this.#log[level]({ event: 'dropped', reason, detail, count, suppressed }, `dropped: ${reason}`)
  }

  assigned(partitions: number[]): void {
    this.#metrics.assignments.inc()
    this.#metrics.assignedPartitions.set(partitions.length)
    this.#metrics.spreadNodes.set(0)
    this.#metrics.partitionLag.reset()
    this.#metrics.lag.set(0)
    this.status.daemon.partitions = partitions.length
    this.#log.info({ event: 'assigned', partitions }, `assigned ${partitions.length} partitions`)
  }

  /** How far each partition is read; gives the lag of each and their sum. */
  lag(progress: PartitionProgress[]): void {
    let total = 0
    for (const { partition, position, end } of progress) {
      const lag = Math.max(0, end - position)
      total += lag
      this.#metrics.partitionLag.set({ partition: String(partition) }, lag)
    }
    this.#metrics.lag.set(total)
    this.status.daemon.lag = total
    this.#log.trace({ event: 'lag', records: total }, 'lag')
  }

  /**
   * The topic's key spreads a node over partitions; this is the `nodes`-th such node. Where members share the topic, none
   * of them sees a whole node.
   */
  nodeSpread(node: string, partitions: [number, number], nodes: number, isWhole: boolean): void {
    this.#metrics.spreadNodes.set(nodes)
    if (nodes > 1) return
    const what = `samples of node ${node} come from partitions ${partitions.join(' and ')}`
    if (isWhole) {
      const then =
        'this member reads them all, but no other one can share the topic unless its key is the node'
      this.#log.info({ event: 'node_spread', node, partitions }, `${what}: ${then}`)
      return
    }
    const reason = `${what}, and members share the topic, so that none sees a whole node: key the topic by node, or run one member`
    this.#log.error({ event: 'node_spread', node, partitions }, reason)
    this.notReady(reason)
  }

  watermark(timeMs: number): void {
    this.#metrics.watermark.set(timeMs / 1000)
    this.status.daemon.watermark = iso(timeMs)
    this.#log.trace({ event: 'watermark', watermark: this.status.daemon.watermark }, 'watermark')
  }

  /** Something at the source worth a line: a reconnect, a rewind. `name` is one of few, it becomes a label. */
  sourceEvent(name: string, detail: string): void {
    this.#metrics.sourceEvents.inc({ event: name })
    this.#log.info({ event: 'source', name, detail }, `source: ${name}`)
  }

  /** No record at all since `sinceMs`: the bus or its bridge is down, not the nodes. */
  inputSilent(sinceMs: number): void {
    this.#metrics.inputSilent.set(1)
    this.#metrics.inputSilences.inc()
    this.status.daemon.silent_since = iso(sinceMs)
    this.#log.error({ event: 'input_silent', since: iso(sinceMs) }, 'no input at all: is the source down?')
  }

  inputBack(): void {
    this.#metrics.inputSilent.set(0)
    const since = this.status.daemon.silent_since
    this.status.daemon.silent_since = null
    this.#log.info({ event: 'input_back', since }, 'input is back')
  }

  // Windows and scores.

  windowsClosed(scored: number, unscored: number): void {
    this.#metrics.windows.inc({ outcome: 'scored' }, scored)
    this.#metrics.windows.inc({ outcome: 'unscored' }, unscored)
    this.#log.debug({ event: 'windows', scored, unscored }, 'windows closed')
  }

  /** Time from the close of a window to its flag in every sink. */
  closeToFlag(seconds: number): void {
    this.#metrics.closeToFlag.observe(seconds)
    this.#log.trace({ event: 'close_to_flag', seconds }, 'flagged')
  }

  /** One batch of windows went through the model. */
  scored(windows: number, seconds: number): void {
    this.#metrics.scoredWindows.inc(windows)
    this.#metrics.scoring.observe(seconds)
    this.#log.debug({ event: 'scored', windows, seconds }, 'scored')
  }

  /** Of `total` feature values `inputs` lay outside the trained range. */
  clipped(inputs: number, total: number): void {
    this.#metrics.clipped.inc(inputs)
    this.#metrics.inputs.inc(total)
    this.#log.trace({ event: 'clipped', inputs, total }, 'clipped')
  }

  modelLoaded(model: ModelFacts): void {
    const { version, path, trainedToMs, ...sizes } = model
    this.#metrics.modelInfo.reset()
    this.#metrics.modelInfo.set(
      {
        version,
        path,
        nodes: String(sizes.nodes),
        metrics: String(sizes.metrics),
        features: String(sizes.features),
        centres: String(sizes.centres),
      },
      1,
    )
    this.#metrics.modelTrainedTo.set(trainedToMs / 1000)
    this.#metrics.modelLoads.inc()
    this.status.daemon.model = { version, path, trained_to: iso(trainedToMs), ...sizes }
    this.#log.info({ event: 'model', ...this.status.daemon.model }, `model ${version} loaded`)
  }

  /** The page's history can't be read or written; flags are not touched by that. */
  historyFailed(error: unknown): void {
    this.#log.warn(
      { event: 'history_failed', error: errorText(error) },
      "the page's history can not be kept (http.history_file)",
    )
  }

  serviceManagerFailed(error: Error): void {
    this.#log.warn(
      { event: 'service_manager_failed', error: errorText(error) },
      'systemd can not be told the state',
    )
  }

  /** `why` is the signal, or that files have changed. */
  reloaded(why: string): void {
    this.#metrics.reloads.inc({ outcome: 'ok' })
    this.#metrics.reloadOk.set(1)
    this.#log.info({ event: 'reloaded', why }, `reloaded on ${why}`)
  }

  /** The daemon goes on with what it has. */
  reloadFailed(why: string, reason: string): void {
    this.#metrics.reloads.inc({ outcome: 'failed' })
    this.#metrics.reloadOk.set(0)
    this.#log.error({ event: 'reload_failed', why, reason }, `not reloaded: ${reason}`)
  }

  // What the daemon says of the nodes.

  flag(record: FlagRecord): void {
    const m = this.#metrics
    m.flags.inc()
    if (record.anomalous) m.anomalousFlags.inc()
    this.#nodes.set(record)
    this.status.flag(record)
    this.#log.debug(
      {
        event: 'flag',
        node: record.node,
        window_end: record.window_end,
        score: record.score,
        state: record.state,
      },
      'flag',
    )
  }

  alarm(record: AlarmRecord): void {
    this.#metrics.alarms.inc({ to: record.to })
    this.status.alarm(record)
    const { kind, v, ...fields } = record
    const level = record.to === 'anomalous' ? 'warn' : 'info'
    this.#log[level]({ event: kind, ...fields }, `${record.node}: ${record.from} -> ${record.to}`)
  }

  /** The node is gone for good: its series and its place on the page go too. */
  nodeForgotten(node: string): void {
    this.#nodes.remove(node)
    this.status.forget(node)
    this.#log.info({ event: 'node_forgotten', node }, `${node} forgotten`)
  }

  // The output.

  /** A sink has made `flags` and `alarms` records safe. */
  sinkWrote(kind: Sink['kind'], flags: number, alarms: number, seconds: number): void {
    this.#metrics.sinkRecords.inc({ sink: kind, kind: 'flag' }, flags)
    this.#metrics.sinkRecords.inc({ sink: kind, kind: 'alarm' }, alarms)
    this.#metrics.sinkWrite.observe({ sink: kind }, seconds)
    this.#log.debug({ event: 'sink', sink: kind, flags, alarms, seconds }, 'written')
  }

  sinkFailed(kind: Sink['kind'], error: unknown): void {
    this.#metrics.sinkFailures.inc({ sink: kind })
    this.#log.error({ event: 'sink_failed', sink: kind, error: errorText(error) }, `sink ${kind} failed`)
  }

  commitDone(seconds: number): void {
    this.#metrics.commit.observe(seconds)
    this.#log.debug({ event: 'commit', seconds }, 'progress committed')
  }

  commitFailed(error: unknown): void {
    this.#metrics.commitFailures.inc()
    this.#log.error({ event: 'commit_failed', error: errorText(error) }, 'commit of progress failed')
  }
}
