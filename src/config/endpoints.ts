/** Configuration keys of sources and sinks. */
import Type from 'typebox'
import { FORMS } from '../examon/forms/form.ts'
import { path, secret, section, size, text, time } from './kinds.ts'
import { RegistrySchema, SECURITY_KEYS, TlsSchema } from './security.ts'

const brokers = Type.Array(
  text({ description: 'Address of a broker.', examples: ['kafka-1.example.org:9092'] }),
  {
    minItems: 1,
    description: 'Brokers to ask first, as `host:port`; the rest of the cluster is learned from them.',
    examples: [['kafka-1.example.org:9092', 'kafka-2.example.org:9092']],
  },
)

const anomalousOnly = Type.Boolean({
  default: false,
  description: 'Write only flags of anomalous windows. Alarms are always written.',
})

const speed = Type.Union([Type.Number({ exclusiveMinimum: 0 }), Type.Literal('max')], {
  default: 1,
  'x-unit': 'times real time',
  description: 'Speed of play; `max` is as fast as the windows can be scored.',
  examples: [10, 'max'],
})

const mqttBroker = {
  url: text({
    description: 'Address of the broker, `mqtt://host:port`; `mqtts://` with TLS.',
    examples: ['mqtt://broker.example.org:1883', 'mqtts://broker.example.org:8883'],
  }),
  tls: Type.Optional(TlsSchema),
  username: Type.Optional(text({ description: 'Name for brokers that ask for one.' })),
  password: Type.Optional(
    secret({ description: 'Password for brokers that ask for one.', examples: ['file:/run/secrets/mqtt'] }),
  ),
}

export const KafkaSourceSchema = section(
  {
    type: Type.Literal('kafka'),
    brokers,
    ...SECURITY_KEYS,
    topics: Type.Array(text({ description: 'Name of a topic.' }), {
      minItems: 1,
      description: 'Topics that carry the samples.',
      examples: [['examon']],
    }),
    form: Type.Enum(['auto', ...FORMS], {
      default: 'auto',
      description:
        'How a record carries its sample; `auto` tells by content, record by record. A fixed form refuses all others. docs/forms.md has them one by one.',
    }),
    schema_registry: Type.Optional(RegistrySchema),
    avro_schemas: Type.Array(path({ description: 'A file with a schema.' }), {
      default: [],
      description:
        "Schemas, `.avsc`, of records in Avro's single-object encoding, which carry a fingerprint of theirs.",
    }),
    group: text({
      default: 'examon-dec',
      description: 'Consumer group. Members of one group share the partitions.',
    }),
    client_id: text({
      default: 'examon-dec',
      description: 'Name of this client in the logs of the brokers.',
    }),
    instance_id: Type.Optional(
      text({
        description:
          'Name of this member, unique in the group and the same after a restart (static membership): a restart then takes its partitions up again at once.',
        examples: ['examon-dec-0'],
      }),
    ),
    from: Type.Enum(['earliest', 'latest'], {
      default: 'latest',
      description: 'Where to start in a partition for which the group has no offset yet.',
    }),
    state_topic: text({
      default: 'examon-dec.state',
      description: 'Compacted topic that keeps the state of each node across restarts.',
    }),
    delivery: Type.Enum(['exactly_once', 'at_least_once'], {
      default: 'exactly_once',
      description:
        'Whether flags to the same cluster, states and offsets are one transaction, so that a crash repeats nothing for those who read committed records. `at_least_once` is for clusters without transactions.',
    }),
  },
  { description: 'Live samples from Kafka.' },
)

export const MqttSourceSchema = section(
  {
    type: Type.Literal('mqtt'),
    ...mqttBroker,
    topics: Type.Array(text({ description: 'Topic filter.' }), {
      minItems: 1,
      default: ['org/#'],
      description: 'What to subscribe to.',
      examples: [['org/cineca/cluster/marconi100/#']],
    }),
    client_id: text({
      default: 'examon-dec',
      description:
        'Name of this client, unique at the broker: the newer of two with the same name puts the older out.',
    }),
    qos: Type.Enum([0, 1], {
      default: 0,
      description: "Quality of service of the subscription; ExaMon's publishers send with 0.",
    }),
    keep_session: Type.Boolean({
      default: false,
      description:
        'The broker keeps the session while this client is away, and with it what was sent and subscribed with `qos` 1.',
    }),
    state_file: Type.Optional(
      path({
        description: 'File that keeps the state of each node across restarts.',
        'x-otherwise': 'nodes warm up anew after a restart',
        examples: ['/var/lib/examon-dec/state.json'],
      }),
    ),
  },
  {
    description:
      "Live samples from ExaMon's own bus. There is no replay: what is sent while the daemon is down is gone.",
  },
)

export const BridgeSchema = section(
  {
    brokers,
    ...SECURITY_KEYS,
    topic: text({ default: 'examon', description: 'Topic that the samples go to; it must exist.' }),
    client_id: text({
      default: 'examon-dec-bridge',
      description: 'Name of this client in the logs of the brokers.',
    }),
  },
  {
    description:
      'Kafka as the target of `bridge`, which brings samples from MQTT there, a node to a partition.',
  },
)

export const ReplaySourceSchema = section(
  {
    type: Type.Literal('replay'),
    history: Type.Array(path({ description: 'A file, or a glob.' }), {
      minItems: 1,
      description: 'Parquet files with samples, played as if they were live.',
      examples: [['history/**/*.parquet']],
    }),
    speed,
  },
  { description: 'History played as if it were live; needs no server.' },
)

export const SimulatorSourceSchema = section(
  {
    type: Type.Literal('simulator'),
    nodes: Type.Integer({ minimum: 1, default: 20, 'x-unit': 'nodes', description: 'Size of the machine.' }),
    seed: Type.Integer({ minimum: 0, default: 1, description: 'Same seed, same machine and same faults.' }),
    start: Type.Optional(
      time({
        description: 'Time of the first sample.',
        'x-otherwise': 'now',
        examples: ['2020-03-09T00:00:00Z'],
      }),
    ),
    days: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        'x-unit': 'simulated days',
        'x-otherwise': 'endless',
        description: 'How long to play.',
      }),
    ),
    speed,
    faults: Type.Boolean({ default: true, description: 'Whether faults happen.' }),
  },
  { description: 'A simulated Marconi-100; needs no server.' },
)

export const KafkaSinkSchema = section(
  {
    type: Type.Literal('kafka'),
    brokers,
    ...SECURITY_KEYS,
    flags_topic: text({ default: 'examon-dec.flags', description: 'Topic of the flag records.' }),
    alarms_topic: text({ default: 'examon-dec.alarms', description: 'Topic of the alarm records.' }),
    format: Type.Enum(['json', 'avro'], {
      default: 'json',
      description:
        'Form of the records; `avro` needs `schema_registry`, where the schemas become those of the subjects `TOPIC-value`.',
    }),
    schema_registry: Type.Optional(RegistrySchema),
    anomalous_only: anomalousOnly,
    create_topics: Type.Boolean({
      default: true,
      description: 'Create the topics at start where they are missing.',
    }),
  },
  { description: 'Flags and alarms to Kafka, keyed by node.' },
)

export const MqttSinkSchema = section(
  {
    type: Type.Literal('mqtt'),
    ...mqttBroker,
    client_id: text({
      default: 'examon-dec-sink',
      description: 'Name of this client, unique at the broker.',
    }),
    prefix: Type.Optional(
      text({
        description: 'First levels of every topic, pairs of tag and value as the site has them.',
        'x-otherwise': 'topics begin with node',
        examples: ['org/cineca/cluster/marconi100'],
      }),
    ),
    anomalous_only: Type.Boolean({ default: false, description: 'Publish only windows over the threshold.' }),
  },
  {
    description:
      "Scores to ExaMon's own bus and in its own form, for the site's time series: `…/plugin/examon-ai_pub/chnl/data/dec_score` and `dec_anomalous`.",
  },
)

export const NdjsonSinkSchema = section(
  {
    type: Type.Literal('ndjson'),
    flags: path({
      description: 'File of the flag records, one JSON object a line.',
      examples: ['out/flags.ndjson'],
    }),
    alarms: path({
      description: 'File of the alarm records, one JSON object a line.',
      examples: ['out/alarms.ndjson'],
    }),
    max_size: Type.Optional(
      size({
        description: 'From this size on a file is set aside as `FILE.1`, and a new one begun.',
        'x-otherwise': 'files grow without limit',
        examples: ['256MiB'],
      }),
    ),
    keep: Type.Integer({
      minimum: 0,
      default: 5,
      'x-unit': 'files',
      description: 'Files set aside that are kept, where `max_size` is given.',
    }),
    anomalous_only: anomalousOnly,
  },
  { description: 'Flags and alarms to files; lines are appended.' },
)
