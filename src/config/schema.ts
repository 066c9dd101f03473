/** The configuration file: every key with its type, bounds, default and meaning. Everything else derives from here. */
import Type from 'typebox'
import {
  BridgeSchema,
  KafkaSinkSchema,
  KafkaSourceSchema,
  MqttSinkSchema,
  MqttSourceSchema,
  NdjsonSinkSchema,
  ReplaySourceSchema,
  SimulatorSourceSchema,
} from './endpoints.ts'
import { duration, path, positiveDuration, secret, section, text, variants } from './kinds.ts'
import { HttpTlsSchema } from './security.ts'
import { TrainingSchema } from './training.ts'
import { TuneSchema } from './tune.ts'

const WindowsSchema = section(
  {
    lateness: duration({
      default: '60s',
      description:
        'How long a window stays open for samples that come late. Later ones are counted and dropped.',
    }),
    idle_timeout: positiveDuration({
      default: '30s',
      description: 'After this long without a record a partition no longer holds the others back.',
    }),
    future_skew: duration({
      default: '10m',
      description: 'Samples further ahead of the clock than this are counted and dropped.',
    }),
    forget_after: positiveDuration({
      default: '1d',
      description: 'A node without samples for this long is forgotten.',
    }),
  },
  {
    default: {},
    description: 'How samples become windows, in event time. Length and spacing come with the model.',
  },
)

const DetectSchema = section(
  {
    min_coverage: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.75,
      'x-unit': 'share of the expected samples',
      description: 'A window that holds less is not scored, and its node becomes `insufficient`.',
    }),
    dwell: Type.Integer({
      minimum: 1,
      default: 2,
      'x-unit': 'windows',
      description:
        'So many windows in a row over the threshold make a node anomalous, and so many that cannot be scored make it insufficient or silent.',
    }),
    clear: Type.Integer({
      minimum: 1,
      default: 2,
      'x-unit': 'windows',
      description: 'So many windows in a row under the threshold make it normal again.',
    }),
    warmup: Type.Integer({
      minimum: 0,
      default: 4,
      'x-unit': 'windows',
      description: 'So many windows after first sight or a reboot raise no alarm.',
    }),
    top: Type.Integer({
      minimum: 1,
      default: 5,
      'x-unit': 'metrics',
      description: 'How many contributing metrics a flag names.',
    }),
  },
  { default: {}, description: 'From score to alarm. A score of 1.0 is the threshold of every model.' },
)

const HttpSchema = section(
  {
    host: text({
      default: '127.0.0.1',
      description: 'Address to listen on; `0.0.0.0` for every IPv4 address of the machine.',
    }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 9464,
      description: 'Port to listen on; 0 takes any free one.',
    }),
    tls: Type.Optional(HttpTlsSchema),
    username: Type.Optional(text({ description: 'Name that page and metrics ask for.' })),
    password: Type.Optional(secret({ description: 'Its password.', examples: ['file:/run/secrets/http'] })),
    token: Type.Optional(
      secret({
        description: 'Bearer token that opens page and metrics too, for Prometheus.',
        examples: ['file:/run/secrets/token'],
      }),
    ),
    history_file: Type.Optional(
      path({
        description:
          'File that keeps what the page shows across restarts: the last day of each node, and recent alarms. Written every five minutes and at the end.',
        'x-otherwise': 'the page begins anew after a restart',
        examples: ['/var/lib/examon-dec/history.ndjson'],
      }),
    ),
    node_link: Type.Optional(
      text({
        description:
          "Where the page links from a node, say its dashboard in Grafana: `{node}` and `{rack}` stand for the node's, `{from}` and `{to}` for the span that is shown, ms since 1970.",
        examples: ['https://grafana.example.org/d/examon-dec-node?var-node={node}&from={from}&to={to}'],
      }),
    ),
  },
  { default: {}, description: 'Status page, `/metrics`, `/healthz`, `/readyz` and `/api/status`.' },
)

const LogSchema = section(
  {
    level: Type.Enum(['error', 'warn', 'info', 'debug'], {
      default: 'info',
      description: 'Least severe level that is logged.',
    }),
  },
  { default: {}, description: 'Log lines: JSON on stderr.' },
)

export const ConfigSchema = section(
  {
    model: Type.Optional(
      path({ description: 'Folder of the model bundle. Needed by `run`.', examples: ['models/marconi100'] }),
    ),
    catalogue: Type.Optional(
      path({
        description: 'Metric catalogue of the site: units, periods, pools.',
        'x-otherwise': 'every numeric metric by itself',
        examples: ['marconi100.catalogue.yaml'],
      }),
    ),
    source: Type.Optional(
      variants([KafkaSourceSchema, MqttSourceSchema, ReplaySourceSchema, SimulatorSourceSchema], {
        description: 'Where samples come from. Needed by `run`.',
      }),
    ),
    sinks: Type.Optional(
      Type.Array(variants([KafkaSinkSchema, MqttSinkSchema, NdjsonSinkSchema], { description: 'A sink.' }), {
        minItems: 1,
        description: 'Where flags and alarms go; each gets all of them. Needed by `run`.',
      }),
    ),
    bridge: Type.Optional(BridgeSchema),
    windows: WindowsSchema,
    detect: DetectSchema,
    http: HttpSchema,
    log: LogSchema,
    training: TrainingSchema,
    tune: TuneSchema,
  },
  { description: 'Configuration of examon-dec.' },
)

export type Config = Type.Static<typeof ConfigSchema>
/** A configuration that says everything `run` needs. */
export type RunConfig = Config & Required<Pick<Config, 'model' | 'source' | 'sinks'>>

/** A configuration that says everything `bridge` needs. */
export type BridgeConfig = Config & { source: MqttSourceConfig } & Required<Pick<Config, 'bridge'>>

export type SourceConfig = RunConfig['source']
export type KafkaSourceConfig = Type.Static<typeof KafkaSourceSchema>
export type MqttSourceConfig = Type.Static<typeof MqttSourceSchema>
export type ReplaySourceConfig = Type.Static<typeof ReplaySourceSchema>
export type SimulatorSourceConfig = Type.Static<typeof SimulatorSourceSchema>
export type SinkConfig = RunConfig['sinks'][number]
export type KafkaSinkConfig = Type.Static<typeof KafkaSinkSchema>
export type MqttSinkConfig = Type.Static<typeof MqttSinkSchema>
export type NdjsonSinkConfig = Type.Static<typeof NdjsonSinkSchema>
export type WindowsConfig = Config['windows']
export type DetectConfig = Config['detect']
export type HttpConfig = Config['http']
export type HttpTls = NonNullable<HttpConfig['tls']>
export type LogConfig = Config['log']
export type TrainingConfig = Config['training']
export type TuneConfig = Config['tune']
