import type { AlarmRecord, FlagRecord } from '../detect/records.ts'

/** Where flags and alarms go. */
export interface Sink {
  /** For log lines and metric labels, e.g. `kafka` or `ndjson`. */
  readonly kind: 'kafka' | 'mqtt' | 'ndjson'
  /** Connects or opens; rejects with a message that names the address or path. */
  start(): Promise<void>
  /** Resolves when the records are safe (acknowledged by all in-sync replicas; handed to the file system). */
  write(flags: readonly FlagRecord[], alarms: readonly AlarmRecord[]): Promise<void>
  close(): Promise<void>
}
