/** The reference of metrics, `docs/metrics.md`, from the metrics themselves. */
import { ALARM_STATES } from '../detect/records.ts'
import { DROP_REASONS } from '../examon/sample.ts'
import { createMetrics } from './metrics.ts'

const OWN = 'examon_dec_'
/** Values of each label, and with them how many series there can be. */
const LABELS: Readonly<Record<string, string>> = {
  reason: `one of ${DROP_REASONS.length}: ${DROP_REASONS.map((reason) => `\`${reason}\``).join(', ')}`,
  event: 'names of events of sources, sinks and registry, about twenty',
  partition: 'the partitions that this member reads',
  outcome: '`ok`, `failed`; of windows `scored`, `unscored`',
  to: 'an alarm state',
  state: `an alarm state: ${ALARM_STATES.map((state) => `\`${state}\``).join(', ')}`,
  node: 'the nodes known now; one that is forgotten takes its series along',
  rack: 'the rack of the node, or empty; no series more than by `node`',
  sink: '`kafka`, `mqtt`, `ndjson`',
  kind: '`flag`, `alarm`',
  version: 'of the program or the model in use; one series',
  path: 'of the model in use; one series',
  nodes: 'of the model in use; one series',
  metrics: 'of the model in use; one series',
  features: 'of the model in use; one series',
  centres: 'of the model in use; one series',
}
const UNITS = [
  ['_timestamp_seconds', 's since 1970'],
  ['_seconds', 's'],
  ['_bytes', 'B'],
  ['_records', 'records'],
] as const

export function metricsReference(): string {
  const own = createMetrics('VERSION')
    .registry.getMetricsAsArray()
    .filter(({ name }) => name.startsWith(OWN))
    .map((metric) => metric as unknown as { name: string; help: string; type: string; labelNames: string[] })
  const labels = [...new Set(own.flatMap(({ labelNames }) => labelNames))]
  const rows = own.map(
    ({ name, help, type, labelNames }) =>
      `| \`${name}\` | ${type} | ${unitOf(name)} | ${labelNames.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  )
  return `# Metrics

At \`/metrics\`, in Prometheus' text form; made from the program by \`npm run generate\`. Beside these ${own.length} stand Node's own
(\`process_…\`, \`nodejs_…\`: CPU time, memory, open files, event loop, garbage collection). What has a fixed set of label values is 0
from the start, so that \`rate()\` sees the first event.

| metric | type | unit | labels | meaning |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

## Labels

| label | values |
| --- | --- |
${labels.map((label) => `| \`${label}\` | ${LABELS[label]} |`).join('\n')}

A node has four series at most: about 4,000 for a machine of 980 nodes, and two or three hundred for all else.
`
}

function unitOf(name: string): string {
  const unit = UNITS.find(([suffix]) => name.replace(/_total$/, '').endsWith(suffix))?.[1]
  return unit ?? (name.endsWith('_total') ? 'count' : '1')
}

/** Labels that the reference explains. */
export const EXPLAINED_LABELS: ReadonlySet<string> = new Set(Object.keys(LABELS))
