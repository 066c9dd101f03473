import type { SourceRecord } from '../sources/source.ts'

/** Ganglia's boot time, s since the epoch: when it changes, the node has rebooted. */
export const BOOT_SENSOR = 'boottime'

/** One stream of samples: a sensor of a node. Ids are dense from 0, so that tables can be plain arrays. */
export interface Series {
  id: number
  node: string
  rack: string | null
  /** Name on the wire (last topic token, decoded). */
  sensor: string
}

/** No sensor reads beyond this, and the variance of a window squares its values: what is larger counts as not finite. */
export const LARGEST_VALUE = 1e150

/** Why a record or sample did not enter a window. Each is a value of the label `reason` in the metrics. */
export const DROP_REASONS = [
  'no_topic', // neither key nor header names the MQTT topic
  'bad_topic', // not the grammar: even token count, empty token, no plugin or chnl
  'not_data', // chnl/cmd and the like
  'no_node', // facility or rack level metric
  'own_output', // plugin examon-ai_pub: what detectors publish
  'no_value', // empty or null payload
  'bad_payload', // not `value;time`, not JSON of a known form
  'bad_schema', // described by a schema that is unknown, or that it does not fit
  'bad_gzip', // compressed and damaged, or beyond any payload once unpacked
  'not_numeric', // string valued metric
  'not_finite', // nan, inf, or so large that its square is
  'bad_time', // time missing, negative or not a number
  'unknown_metric', // not in the model's schema
  'late', // its window is closed
  'future', // too far ahead of the clock
  'duplicate', // same series, same time
  'undelivered', // still on its way when the bridge was stopped
] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** What decoding a record can lead to; one record may lead to several calls (JSON batches). */
export interface SampleHandler {
  sample(series: Series, value: number, timeMs: number, record: SourceRecord): void
  /** Nagios says that the node is drained or back (`nagiosdrained` tag). */
  maintenance(node: string, rack: string | null, muted: boolean, timeMs: number, record: SourceRecord): void
  drop(reason: DropReason, record: SourceRecord, detail: string): void
}
