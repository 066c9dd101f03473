import { Command, Option } from 'commander'
import { defaultConfig, loadConfig } from '../config/load.ts'
import { detectorOptions } from '../detect/options.ts'
import { type Evaluation, evaluate, type Figures, MODEL_NAME } from '../evaluate/evaluate.ts'
import { renderTable } from '../evaluate/table.ts'
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
  json?: boolean
}

const HELP = `
A window is anomalous when any of its samples is labelled so. Events are runs of such windows; the delay runs from the
start of an event to the end of the first flagged window. Figures at the threshold take score 1.0. No point adjustment.

Examples:
  $ examon-dec evaluate --model models/mine --history 'test/*.parquet'
  $ examon-dec evaluate --model models/mine --history test.parquet --json | jq .detectors[0].mean
  $ examon-dec evaluate --preset report --history r206n05.parquet`

/** `evaluate`: labelled history against the model and two baselines. */
export function evaluateCommand(): Command {
  return new Command('evaluate')
    .summary('score labelled history and compare with baselines')
    .description(
      'Scores labelled history window by window with a model, beside PCA residual and k-means distance on the same windows.',
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
      const result = await evaluate(bundle, history, detectorOptions(config.detect), undefined, signal)
      process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : report(result))
    } finally {
      history.close()
    }
  })
}

const COLUMNS = [
  { title: 'AUROC', decimals: 3 },
  { title: 'AP', decimals: 3 },
  { title: 'best F1', decimals: 3 },
  { title: 'precision', decimals: 3 },
  { title: 'recall', decimals: 3 },
  { title: 'false flags/day', decimals: 2 },
  { title: 'events' },
  { title: 'found' },
  { title: 'delay min', decimals: 0 },
]

function report(result: Evaluation): string {
  const { windows } = result
  const model = result.detectors.find(({ detector }) => detector === MODEL_NAME)
  const parts = [
    `model ${result.model}: ${windows.read} windows of ${result.history.nodes} nodes, ${windows.scored} scored, ${windows.anomalous} labelled anomalous`,
  ]
  if (windows.anomalous === 0) {
    parts.push('No window is labelled anomalous: figures that need labels are left out.')
  }
  if (model !== undefined && result.history.nodes > 1) {
    const rows = Object.entries(model.nodes).map(([node, figures]) => [node, ...cells(figures)])
    parts.push(renderTable([{ title: 'node' }, ...COLUMNS], rows))
  }
  const rows = result.detectors.map(({ detector, mean }) => [detector, ...cells(mean)])
  const title = result.history.nodes > 1 ? 'mean over nodes' : 'detector'
  parts.push(renderTable([{ title }, ...COLUMNS], rows))
  return `${parts.join('\n\n')}\n`
}

function cells(figures: Figures): (number | null)[] {
  return [
    figures.auroc,
    figures.averagePrecision,
    figures.bestF1,
    figures.precision,
    figures.recall,
    figures.falseFlagsPerDay,
    figures.events,
    figures.found,
    figures.delaySeconds === null ? null : figures.delaySeconds / 60,
  ]
}
