import { Command } from 'commander'
import { loadRunConfig } from '../config/load.ts'
import { runDaemon } from '../engine/daemon.ts'
import { interruptible } from './interrupt.ts'
import { version } from './version.ts'

const HELP = `
Logs go to stderr, one JSON object a line. The page, /metrics, /healthz, /readyz and /api/status are served on
http.host and http.port of the configuration. SIGTERM and Ctrl-C stop within ten seconds; a restart goes on where the
committed offsets stand.

Examples:
  $ examon-dec run --config examon-dec.yaml
  $ examon-dec check config examon-dec.yaml && examon-dec run --config examon-dec.yaml 2>>examon-dec.log`

/** `run`: the daemon. */
export function runCommand(): Command {
  return new Command('run')
    .summary('the daemon: read live samples, publish flags, alarms and metrics')
    .description(
      'Reads samples from the configured source, scores every window of every node, publishes flags, alarms and metrics.',
    )
    .requiredOption('--config <file>', 'configuration')
    .addHelpText('after', HELP)
    .action(async ({ config }: { config: string }) => {
      const settings = loadRunConfig(config)
      await interruptible((signal) => runDaemon(config, settings, version(), signal))
    })
}
