import type { RunConfig } from '../config/schema.ts'
import { detectorOptions } from '../detect/options.ts'
import { openBundle } from '../model/bundle.ts'
import { HistoryFile } from '../status/history-file.ts'
import { startHttp } from '../telemetry/http.ts'
import { createLogger } from '../telemetry/logger.ts'
import { notifyServiceManager } from '../telemetry/service-manager.ts'
import { Telemetry } from '../telemetry/telemetry.ts'
import { aborted, TURN_MS, withDeadline } from './ending.ts'
import { Engine } from './engine.ts'
import { openEnds } from './parts.ts'
import { Reloader } from './reload.ts'

/**
 * The daemon of the configuration in `file`, which is looked at again when it changes: opens model, source, sinks and HTTP
 * port, runs until the signal aborts or a bounded source ends, and closes in order. Rejects when a part can't be opened, with what is wrong and the configuration key to mend.
 */
export async function runDaemon(
  file: string,
  config: RunConfig,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const telemetry = new Telemetry({
    logger: createLogger(config.log.level),
    version,
    nodeLink: config.http.node_link,
  })
  telemetry.starting({
    model: config.model,
    source: config.source.type,
    sinks: config.sinks.map((sink) => sink.type),
  })
  const bundle = openBundle(config.model)
  const history = await openPageHistory(config, telemetry)
  let reloader: Reloader | null = null
  const reload = async () => (reloader === null ? 'the daemon is starting' : await reloader.reload())
  const http = await startHttp({ ...config.http, telemetry, reload })
  telemetry.listening(http.url)
  // Started, though not yet ready: a broker that is down is waited for, and is no failure of the start.
  const manager = notifyServiceManager(telemetry)
  try {
    const engine = new Engine({
      ...(await openEnds(config, telemetry)),
      bundle,
      telemetry,
      windows: config.windows,
      detect: detectorOptions(config.detect),
      form: config.source.type === 'kafka' ? config.source.form : 'auto',
    })
    reloader = new Reloader(file, config, engine, telemetry)
    try {
      reloader.start() // first, for a SIGHUP that nobody takes ends the process
      await engine.start()
      // Closing ends a write that is being retried; what it held is made again from the samples by the next start.
      await Promise.race([engine.run(signal), aborted(signal, TURN_MS)])
      telemetry.stopping(signal.aborted ? 'signal' : 'end of source')
    } finally {
      reloader.stop()
      await withDeadline(engine.close())
    }
  } finally {
    manager.stop()
    await http.close()
    await history?.close()
    telemetry.stopped()
  }
}

async function openPageHistory(
  { http, windows }: RunConfig,
  telemetry: Telemetry,
): Promise<HistoryFile | null> {
  if (http.history_file === undefined) return null
  const onFailure = (error: Error): void => telemetry.historyFailed(error)
  return await HistoryFile.open(http.history_file, telemetry.status, windows.forget_after * 1000, onFailure)
}
