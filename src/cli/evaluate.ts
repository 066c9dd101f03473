import { Command, Option } from 'commander'
import { defaultConfig, loadConfig } from '../config/load.ts'
import { detectorOptions } from '../detect/options.ts'
import { evaluate } from '../evaluate/evaluate.ts'
import { evaluationText } from '../evaluate/evaluation-text.ts'
import { type FittingWindows, windowsOfHistory } from '../evaluate/fitting.ts'
import { openHistory } from '../history/history.ts'
import { type Bundle, openBundle } from '../model/bundle.ts'
import { UsageError } from './errors.ts'
import { runReport } from './evaluate-report.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'

interface Options {
  model?: string
  preset?: 'report'
  history: string[]
  train?: string[]
  config?: string
  nodes?: boolean
  report?: string
  pictures?: string
  json?: boolean
}

const HELP = `
A window is anomalous when any of its samples is labelled so. Events are runs of such windows; the delay runs from the
start of an event to the end of the first flagged window. Figures at the threshold take score 1.0. No point adjustment.

Baselines: PCA residual (95 % of the variance), k-means distance (8 centres), kNN distance (mean of 5), isolation forest
(200 trees), ECOD and the largest z-score, each by the single window and with the model's memory over windows. They see
the model's own training windows by the model's own scaler, and get their thresholds from its calibration windows; the
bundle keeps up to 2,048 of each, evenly drawn. --train takes them from the model's history instead, up to 20,000.

Examples:
  $ examon-dec evaluate --model models/mine --history 'test/*.parquet'
  $ examon-dec evaluate --model models/mine --history test.parquet --json | jq '.detectors[] | {detector, auroc: .pooled.auroc}'
  $ examon-dec evaluate --model models/mine --history 'test/*.parquet' --train 'history/*.parquet'
  $ examon-dec evaluate --model models/mine --history 'test/*.parquet' --report mine.html --pictures pictures
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
    .option('--train <globs...>', 'history that the model was trained on, to fit the baselines on more of it')
    .addOption(
      new Option(
        '--preset <name>',
        "the published report's table on one node's labelled windows; trains its model where none is given, in minutes",
      ).choices(['report']),
    )
    .option('--config <file>', 'configuration; its section `detect` is read, with a preset `training`')
    .option('--nodes', "print the model's figures for each node too")
    .option('--report <file>', 'write one self-contained page with all pictures and figures')
    .option('--pictures <dir>', 'write every picture as an SVG file into this folder')
    .option('--json', 'print all figures as JSON on stdout')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(options: Options): Promise<void> {
  if (options.preset === 'report') {
    const { report, pictures, train, nodes } = options
    if ([report, pictures, train, nodes].some((option) => option !== undefined)) {
      throw new UsageError(
        '--report, --pictures, --train and --nodes are for a model on history; --preset report prints its own table',
      )
    }
    return runReport(options)
  }
  if (options.model === undefined) throw new UsageError('evaluate needs --model DIR, or --preset report')
  const config = options.config === undefined ? defaultConfig() : loadConfig(options.config)
  const bundle = openBundle(options.model)
  await interruptible(async (signal) => {
    const history = await openHistory(options.history)
    try {
      const fitting =
        options.train === undefined ? undefined : await trainingWindows(bundle, options.train, signal)
      const result = await evaluate(bundle, history, detectorOptions(config.detect), {
        signal,
        ...(fitting === undefined ? {} : { fitting }),
      })
      const { evaluation } = result
      const text =
        options.json === true
          ? `${JSON.stringify(evaluation)}\n`
          : evaluationText(evaluation, options.nodes === true)
      process.stdout.write(text)
      if (options.report !== undefined || options.pictures !== undefined) {
        // Loaded here: the libraries that draw take a while, and nothing else needs them.
        const { writeEvaluationReport } = await import('../evaluate/pictures/report.ts')
        const { report, pictures } = options
        await writeEvaluationReport(bundle, result, { report, pictures, progress: createProgress(), signal })
      }
    } finally {
      history.close()
    }
  })
}

async function trainingWindows(
  bundle: Bundle,
  globs: readonly string[],
  signal: AbortSignal,
): Promise<FittingWindows> {
  const history = await openHistory(globs)
  try {
    return await windowsOfHistory(bundle, history, signal)
  } finally {
    history.close()
  }
}
