import { isDeepStrictEqual } from 'node:util'
import type { SinkConfig, SourceConfig } from './schema.ts'

/**
 * Whether flags to this sink are in one transaction with the progress of the source: it writes to the cluster that the source
 * reads, under the same name, and that is not switched off.
 */
export function isExactlyOnce(sink: SinkConfig, source: SourceConfig | undefined): boolean {
  return (
    sink.type === 'kafka' &&
    source?.type === 'kafka' &&
    source.delivery === 'exactly_once' &&
    isDeepStrictEqual(sink.brokers.toSorted(), source.brokers.toSorted()) &&
    isDeepStrictEqual(sink.tls, source.tls) &&
    isDeepStrictEqual(sink.sasl, source.sasl)
  )
}
