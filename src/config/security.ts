/** Configuration keys of encryption and authentication: towards Kafka and MQTT, and of the HTTP port. */
import Type from 'typebox'
import type { Rule } from './document.ts'
import { path, secret, section, text } from './kinds.ts'
import { type Path, type Problem, pathText, problem } from './problems.ts'
import type { Config, HttpConfig, MqttSinkConfig, MqttSourceConfig } from './schema.ts'

export const TlsSchema = section(
  {
    ca: Type.Optional(
      path({
        description: 'PEM file of the certificates that brokers are checked against.',
        'x-otherwise': 'those that Node trusts',
        examples: ['/etc/pki/kafka-ca.pem'],
      }),
    ),
    cert: Type.Optional(
      path({
        description: 'PEM file of the own certificate, for brokers that ask for one (mutual TLS).',
        examples: ['/etc/examon-dec/client.pem'],
      }),
    ),
    key: Type.Optional(
      path({ description: 'PEM file of its private key.', examples: ['/etc/examon-dec/client.key'] }),
    ),
    passphrase: Type.Optional(
      secret({ description: 'Opens the private key.', examples: ['file:/run/secrets/passphrase'] }),
    ),
  },
  { description: 'Encrypts the connections; `{}` is enough where a public authority signed the brokers.' },
)

export const RegistrySchema = section(
  {
    url: text({
      description: 'Address, with its path if it has one.',
      examples: ['https://registry.example.org:8081'],
    }),
    username: Type.Optional(text({ description: 'Name for registries that ask for one.' })),
    password: Type.Optional(
      secret({
        description: 'Password for registries that ask for one.',
        examples: ['file:/run/secrets/registry'],
      }),
    ),
    tls: Type.Optional(TlsSchema),
  },
  { description: "A schema registry with Confluent's interface." },
)

export const HttpTlsSchema = section(
  {
    cert: path({ description: 'PEM file of the certificate.', examples: ['/etc/examon-dec/server.pem'] }),
    key: path({ description: 'PEM file of its private key.', examples: ['/etc/examon-dec/server.key'] }),
    passphrase: Type.Optional(
      secret({ description: 'Opens the private key.', examples: ['file:/run/secrets/passphrase'] }),
    ),
  },
  { description: 'Serves over TLS.' },
)

const SaslSchema = section(
  {
    mechanism: Type.Enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'], {
      description:
        'How this client proves who it is. `plain` shows the password to whoever listens, unless `tls` is set.',
    }),
    username: Type.Optional(
      text({ description: 'Needed by all but `oauthbearer`.', examples: ['examon-dec'] }),
    ),
    password: Type.Optional(
      secret({
        description: 'Needed by all but `oauthbearer`.',
        examples: ['file:/run/secrets/kafka'],
      }),
    ),
    token_file: Type.Optional(
      path({
        description:
          'File of the token for `oauthbearer`, read anew for every connection, so that another program may renew it.',
        examples: ['/run/secrets/token'],
      }),
    ),
  },
  { description: 'Authentication towards the brokers.' },
)

/** Keys of a section that names brokers. */
export const SECURITY_KEYS = { tls: Type.Optional(TlsSchema), sasl: Type.Optional(SaslSchema) }

export type TlsConfig = Type.Static<typeof TlsSchema>
export type SaslConfig = Type.Static<typeof SaslSchema>

/** A certificate comes with its key, and each mechanism with what it proves. */
export const security: Rule<Config> = {
  reads: ['source', 'sinks', 'bridge', 'http'],
  check({ source, sinks = [], bridge, http }) {
    return [
      ...ofHttp(http),
      ...(bridge === undefined ? [] : problemsOf(bridge, ['bridge'])),
      ...(source?.type === 'kafka' ? problemsOf(source, ['source']) : []),
      ...(source?.type === 'mqtt' ? ofMqtt(source, ['source']) : []),
      ...sinks.flatMap((sink, i) => {
        if (sink.type === 'kafka') return problemsOf(sink, ['sinks', i])
        return sink.type === 'mqtt' ? ofMqtt(sink, ['sinks', i]) : []
      }),
    ]
  },
}

function ofHttp({ username, password }: HttpConfig): Problem[] {
  if ((username === undefined) === (password === undefined)) return []
  const [there, missing] = username === undefined ? ['password', 'username'] : ['username', 'password']
  return [{ path: ['http'], at: 'value', message: `http.${missing} is missing, and ${there} needs it` }]
}

const MQTT_URL = /^mqtts?:\/\/[^@/]+$/

function ofMqtt({ url, tls, username, password }: MqttSourceConfig | MqttSinkConfig, at: Path): Problem[] {
  // The address is not repeated: it may hold a password.
  if (!MQTT_URL.test(url))
    return [
      problem(
        [...at, 'url'],
        'expected mqtt://host:port or mqtts://host:port, name and password in username and password',
      ),
    ]
  const problems = tls === undefined ? [] : problemsOf({ tls }, at)
  if (tls !== undefined && !url.startsWith('mqtts:'))
    problems.push(problem([...at, 'tls'], `has no meaning with ${url}; write mqtts://`))
  if (password !== undefined && username === undefined)
    problems.push(problem([...at, 'password'], 'needs a username'))
  return problems
}

function problemsOf({ tls, sasl }: { tls?: TlsConfig; sasl?: SaslConfig }, at: Path): Problem[] {
  const problems: Problem[] = []
  const lacking = (section: string, what: string): void => {
    const path = [...at, section]
    problems.push({ path, at: 'value', message: `${pathText(path)}${what}` })
  }
  if (tls !== undefined) {
    if (tls.cert !== undefined && tls.key === undefined) lacking('tls', '.key is missing, and cert needs it')
    if (tls.cert === undefined && tls.key !== undefined) lacking('tls', '.cert is missing, and key needs it')
    if (tls.key === undefined && tls.passphrase !== undefined)
      lacking('tls', '.key is missing, and passphrase needs it')
  }
  if (sasl !== undefined) {
    const [needed, useless] =
      sasl.mechanism === 'oauthbearer'
        ? ([['token_file'], ['username', 'password']] as const)
        : ([['username', 'password'], ['token_file']] as const)
    for (const key of needed)
      if (sasl[key] === undefined) lacking('sasl', `.${key} is missing, and ${sasl.mechanism} needs it`)
    for (const key of useless)
      if (sasl[key] !== undefined)
        lacking('sasl', `.${key} has no meaning with ${sasl.mechanism}; leave it out`)
  }
  return problems
}
