import { defaultConfig, loadConfig } from '../config/load.ts'
import { evaluateReport } from '../evaluate/published/report.ts'
import { reportText } from '../evaluate/published/text.ts'
import { openHistory } from '../history/history.ts'
import { openBundle } from '../model/bundle.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'

export interface ReportOptions {
  model?: string
  history: string[]
  config?: string
  json?: boolean
}

/** `evaluate --preset report`: the report's table on one node's labelled windows. */
export async function runReport(options: ReportOptions): Promise<void> {
  const config = options.config === undefined ? defaultConfig() : loadConfig(options.config)
  const bundle = options.model === undefined ? null : openBundle(options.model)
  await interruptible(async (signal) => {
    const history = await openHistory(options.history)
    try {
      const result = await evaluateReport({
        history,
        training: { ...config.training, preset: 'report' },
        bundle,
        progress: createProgress(),
        signal,
      })
      process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : reportText(result))
    } finally {
      history.close()
    }
  })
}
