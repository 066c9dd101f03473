import { Command } from 'commander'
import { runBridge } from '../bridge/bridge.ts'
import { loadBridgeConfig } from '../config/load.ts'
import { interruptible } from './interrupt.ts'
import { version } from './version.ts'

const HELP = `
Reads \`source\` (type mqtt) and writes to \`bridge\`: key = MQTT topic, value = payload, every node in one partition,
so that several daemons can share the topic. What no daemon would read (commands, facility metrics, own scores) is left
out and counted. /metrics, /healthz and /readyz are served as by \`run\`; logs go to stderr.

Examples:
  $ examon-dec bridge --config bridge.yaml`

/** `bridge`: from MQTT to Kafka. */
export function bridgeCommand(): Command {
  return new Command('bridge')
    .summary('bring samples from MQTT to Kafka, a node to a partition')
    .description("Brings the samples of ExaMon's MQTT bus to a Kafka topic, a node to a partition.")
    .requiredOption('--config <file>', 'configuration with source (type mqtt) and bridge')
    .addHelpText('after', HELP)
    .action(async ({ config }: { config: string }) => {
      const settings = loadBridgeConfig(config)
      await interruptible((signal) => runBridge(settings, version(), signal))
    })
}
