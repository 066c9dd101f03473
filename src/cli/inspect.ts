import { Command } from 'commander'
import { renderTable } from '../evaluate/table.ts'
import { type Bundle, openBundle } from '../model/bundle.ts'
import { featureCount } from '../windows/schema.ts'

const HELP = `
Examples:
  $ examon-dec inspect model models/mine
  $ examon-dec inspect model models/mine --json | jq .calibration`

/** `inspect model DIR`: what a bundle holds. */
export function inspectCommand(): Command {
  const model = new Command('model')
    .description('Prints what a model bundle holds: features, network, modes, training, calibration, guards.')
    .argument('<dir>', 'model bundle')
    .option('--json', 'print the manifest as JSON on stdout')
    .addHelpText('after', HELP)
    .action((dir: string, { json }: { json?: boolean }) => {
      const bundle = openBundle(dir)
      const text =
        json === true ? JSON.stringify({ version: bundle.version, ...bundle.manifest }) : describe(bundle)
      process.stdout.write(`${text}\n`)
    })
  return new Command('inspect')
    .summary('print what a model bundle holds')
    .description('Prints what a model bundle holds.')
    .addHelpText('after', HELP)
    .addCommand(model)
}

function describe({ version, manifest }: Bundle): string {
  const { schema, training, calibration, network, scaler } = manifest
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16)
  const facts: [string, string][] = [
    ['model', version],
    [
      'features',
      `${featureCount(schema)}: ${schema.statistics.join(', ')} of ${schema.metrics.length} metrics`,
    ],
    ['window', `${schema.lengthSeconds} s every ${schema.everySeconds} s, ddof ${schema.ddof}`],
    ['catalogue', manifest.catalogue?.site ?? 'none'],
    ['scaler', `${scaler.kind}, ${scaler.nodes.length} nodes`],
    ['network', network.widths.join('-')],
    [
      'trained on',
      `${training.windows} windows from ${day(training.fromMs)} to ${day(training.toMs)} UTC (${training.layout})`,
    ],
    [
      'left out',
      `${training.leftOut.anomalous} labelled anomalous, ${training.leftOut.coverage} thinly covered`,
    ],
    ...(training.moved === undefined
      ? []
      : [['started from', `model ${training.moved.from}`] as [string, string]]),
    ['preset, seed', `${training.preset}, ${training.seed}`],
    [
      'autoencoder',
      `loss ${training.pretrainLoss.at(-1)?.toPrecision(3) ?? '-'} after ${training.pretrainLoss.length} epochs`,
    ],
    ['DEC', `${training.updates.at(-1)?.iteration ?? 0} iterations, stopped by ${training.stopped}`],
    [
      'threshold',
      `${calibration.threshold.toFixed(2)} spreads, from ${calibration.windows} ${calibration.inSample ? 'training' : 'held-out'} windows, false-flag rate ${calibration.falseFlagRate.toPrecision(2)}`,
    ],
  ]
  const modes = renderTable(
    [{ title: 'mode' }, { title: 'share of windows', decimals: 3 }],
    manifest.modes.map(({ share }, mode) => [mode, share]),
  )
  const guards = renderTable(
    [{ title: 'guard' }, { title: 'result' }, { title: 'message' }],
    manifest.guards.map(({ name, result, message }) => [name, result, message]),
  )
  return `${renderTable([{ title: 'what' }, { title: 'value' }], facts)}\n\n${modes}\n\n${guards}`
}
