import { defaultConfig, loadConfig } from '../config/load.ts'
import { openHistory } from '../history/history.ts'
import { runExperiments } from '../tune/report-experiments.ts'
import { experimentsText } from '../tune/report-experiments-text.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'

export interface TuneReportOptions {
  history: string[]
  out: string
  config?: string
  json?: boolean
}

/** `tune --preset report`: the report's experiments on one node's labelled windows. */
export async function runTuneReport(options: TuneReportOptions): Promise<void> {
  const config = options.config === undefined ? defaultConfig() : loadConfig(options.config)
  await interruptible(async (signal) => {
    const history = await openHistory(options.history)
    try {
      const result = await runExperiments({
        history,
        training: { ...config.training, preset: 'report' },
        out: options.out,
        progress: createProgress(),
        signal,
      })
      process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : experimentsText(result))
    } finally {
      history.close()
    }
  })
}
