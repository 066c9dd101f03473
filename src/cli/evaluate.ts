import { Command, Option } from 'commander'
import { defaultConfig, loadConfig } from '../config/load.ts'
import { detectorOptions } from '../detect/options.ts'
import { evaluate } from '../evaluate/evaluate.ts'
import { evaluationText } from '../evaluate/evaluation-text.ts'
import { openHistory } from '../history/history.ts'
import { openBundle } from '../model/bundle.ts'
import { UsageError } from './errors.ts'
import { runReport } from './evaluate-report.ts'
import { interruptible } from './interrupt.ts'

interface Options {
  model?: string
  preset?: 'report'
  history: string[]
  config?: string
  nodes?: boolean
  json?: boolean
}

const HELP = `
A window is anomalous when any of its samples is labelled so. Events are runs of such windows; the delay runs from the
start of an event to the end of the first flagged window. Figures at the threshold take score 1.0. No point adjustment.

Examples:
  $ examon-dec evaluate --model models/mine --history 'test/*.parquet'
  $ examon-dec evaluate --model models/mine --history test.parquet --json | jq .detectors[0].mean
  $ examon-dec evaluate --preset report --history r206n05.parquet`

/** `evaluate`: labelled history against the model and the baselines. */
export function evaluateCommand(): Command {
  return new Command('evaluate')
    .summary('score labelled history and compare with baselines')
    .description(
      'Scores labelled history window by window with a model, beside six plain baselines on the same windows.',
    )
    .option('--model <dir>', 'model bundle; needed without --preset')
    .requiredOption('--history <globs...>', 'labelled parquet files or globs')
    .addOption(
      new Option(
        '--preset <name>',
        "the published report's table on one node's labelled windows; trains its model where none is given, in minutes",
      ).choices(['report']),
    )
    .option('--config <file>', 'configuration; its section `detect` is read, with a preset `training`')
    .option('--nodes', "print the model's figures for each node too")
    .option('--json', 'print all figures as JSON on stdout')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(options: Options): Promise<void> {
  if (options.preset === 'report') return runReport(options)
  if (options.model === undefined) throw new UsageError('evaluate needs --model DIR, or --preset report')
  const config = options.config === undefined ? defaultConfig() : loadConfig(options.config)
  const bundle = openBundle(options.model)
  await interruptible(async (signal) => {
    const history = await openHistory(options.history)
    try {
      const { evaluation } = await evaluate(bundle, history, detectorOptions(config.detect), { signal })
      const text =
        options.json === true
          ? `${JSON.stringify(evaluation)}\n`
          : evaluationText(evaluation, options.nodes === true)
      process.stdout.write(text)
    } finally {
      history.close()
    }
  })
}
