import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { ALARM_STATES } from '../detect/records.ts'
import { DROP_REASONS } from '../examon/sample.ts'

/** Upper bounds, seconds, for steps that take milliseconds to a minute: scoring, sink writes, commits. */
const STEP_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** Upper bounds, seconds, from the close of a window to its flag: half a second is usual, minutes are a backlog. */
const LATENCY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900]
/** Gauges that prom-client names `_total` although they can fall; Prometheus' own linter refuses such names. */
const MISNAMED = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
]

const NODE_LABELS = ['node', 'rack'] as const

/**
 * Every metric the daemon exports, on a registry of its own. Base units; `_total` only on counters. What has a
 * closed set of label values is exported as 0 from the start, so that `rate()` sees the first event.
 */
export function createMetrics(version: string) {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)

  const counter = (name: string, help: string) => new Counter({ name: `examon_dec_${name}`, help, registers })
  const counterBy = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter<L>({ name: `examon_dec_${name}`, help, labelNames, registers })
  const gauge = (name: string, help: string) => new Gauge({ name: `examon_dec_${name}`, help, registers })
  const gaugeBy = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge<L>({ name: `examon_dec_${name}`, help, labelNames: [...labelNames], registers })
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `examon_dec_${name}`, help, buckets, registers })

  const metrics = {
    registry,
    ready: gauge(
      'ready',
      'Whether the daemon reads, scores and writes: 1, or 0 while it starts, stops or is stuck.',
    ),
    stalled: gauge(
      'stalled',
      'Whether nothing moves though nothing is known to be wrong: 1 (then /healthz fails), or 0.',
    ),
    recordsRead: counter('records_read_total', 'Records read from the source.'),
    samples: counter('samples_total', 'Samples taken into windows.'),
    bridged: counter('bridged_records_total', 'Records that `bridge` has brought to Kafka, acknowledged.'),
    drops: counterBy('drops_total', 'Records or samples that entered no window, by reason.', ['reason']),
    sourceEvents: counterBy('source_events_total', 'Events of the source such as reconnects.', ['event']),
    assignments: counter(
      'assignments_total',
      'Assignments of partitions: the first one and every rebalance.',
    ),
    assignedPartitions: gauge('assigned_partitions', 'Partitions read now.'),
    spreadNodes: gauge(
      'spread_nodes',
      'Nodes whose samples come from several partitions, since the last assignment; members cannot share such a topic.',
    ),
    lag: gauge('source_lag_records', 'Records not read yet, over all partitions.'),
    partitionLag: gaugeBy('source_partition_lag_records', 'Records not read yet, by partition.', [
      'partition',
    ]),
    watermark: gauge('watermark_timestamp_seconds', 'Event time up to which windows are closed.'),
    inputSilent: gauge('input_silent', 'Whether the whole input is silent: 1 yes, 0 no.'),
    inputSilences: counter('input_silences_total', 'Times that the whole input fell silent.'),
    windows: counterBy('windows_total', 'Windows closed, by whether they held enough data to be scored.', [
      'outcome',
    ]),
    closeToFlag: histogram(
      'close_to_flag_seconds',
      'Time from the close of a window to its flag in every sink.',
      LATENCY_SECONDS,
    ),
    scoredWindows: counter('scored_windows_total', 'Windows scored by the model.'),
    scoring: histogram('scoring_seconds', 'Time to score one batch of windows.', STEP_SECONDS),
    inputs: counter('inputs_total', 'Feature values given to the model.'),
    clipped: counter(
      'clipped_inputs_total',
      'Feature values outside the trained range, clipped before scoring.',
    ),
    reloads: counterBy('reloads_total', 'Reloads of configuration and model, by outcome.', ['outcome']),
    reloadOk: gauge(
      'last_reload_ok',
      'Whether the last reload was taken up: 1 (also before the first), or 0.',
    ),
    modelInfo: gaugeBy('model_info', 'The model in use; always 1.', [
      'version',
      'path',
      'nodes',
      'metrics',
      'features',
      'centres',
    ]),
    modelTrainedTo: gauge(
      'model_trained_to_timestamp_seconds',
      'End of the span that the model was trained on.',
    ),
    modelLoads: counter('model_loads_total', 'Models loaded: one at start and one a reload.'),
    flags: counter('flags_total', 'Flags raised for windows, anomalous or not.'),
    anomalousFlags: counter('anomalous_flags_total', 'Flags of windows whose score reaches the threshold.'),
    alarms: counterBy('alarms_total', 'Changes of the alarm state of a node, by the state entered.', ['to']),
    nodes: gaugeBy('nodes', 'Nodes known, by alarm state.', ['state']),
    nodeScore: gaugeBy(
      'node_score',
      'Score of the last window; 1 is the threshold. Absent while windows of the node can not be scored.',
      NODE_LABELS,
    ),
    nodeState: gaugeBy(
      'node_state',
      'Alarm state of the node: one series a node, always 1, named by `state`.',
      [...NODE_LABELS, 'state'],
    ),
    nodeMode: gaugeBy('node_mode', 'Operating mode (nearest centre) of the last scored window.', NODE_LABELS),
    nodeWindowEnd: gaugeBy(
      'node_last_window_end_timestamp_seconds',
      'End of the last window of the node.',
      NODE_LABELS,
    ),
    sinkRecords: counterBy('sink_records_total', 'Records written, by sink and kind of record.', [
      'sink',
      'kind',
    ]),
    sinkWrite: new Histogram({
      name: 'examon_dec_sink_write_seconds',
      help: 'Time until a sink says that records are safe.',
      labelNames: ['sink'],
      buckets: STEP_SECONDS,
      registers,
    }),
    sinkFailures: counterBy('sink_failures_total', 'Writes that a sink refused.', ['sink']),
    commit: histogram('commit_seconds', 'Time to commit the progress of the source.', STEP_SECONDS),
    commitFailures: counter('commit_failures_total', 'Commits of progress that failed.'),
  }

  // Not known yet: 0 would read as a watermark of 1970 and fire every alert on its age.
  metrics.watermark.remove()
  metrics.modelTrainedTo.remove()
  gaugeBy('build_info', 'Version of the daemon; always 1.', ['version']).set({ version }, 1)
  metrics.reloadOk.set(1)
  for (const outcome of ['ok', 'failed']) metrics.reloads.inc({ outcome }, 0)
  for (const reason of DROP_REASONS) metrics.drops.inc({ reason }, 0)
  for (const outcome of ['scored', 'unscored']) metrics.windows.inc({ outcome }, 0)
  for (const state of ALARM_STATES) {
    metrics.alarms.inc({ to: state }, 0)
    metrics.nodes.set({ state }, 0)
  }
  return metrics
}

export type Metrics = ReturnType<typeof createMetrics>
