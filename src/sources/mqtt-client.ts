/** What source and sink need of an MQTT broker: a connection that is told of, and a clear word when there can be none. */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import type { Secret } from '../config/secret.ts'
import { isTlsProblem, type TlsOptions, tlsWords } from './tls.ts'

/** Where the broker is, and how this client presents itself. */
export interface MqttAddress {
  /** `mqtt://host:port` or, with TLS, `mqtts://host:port`. */
  url: string
  clientId: string
  username?: string
  password?: Secret
  tls?: TlsOptions
  /** Section of the configuration, for messages: `source` or `sinks[0]`. */
  configKey: string
  /** How long a start waits for a broker, ms; 10,000 unless told. */
  startTimeoutMs?: number
  /** What happens beside the messages: `mqtt_lost`, `mqtt_back`. */
  onEvent?: (name: string, detail: string) => void
}

const START_TIMEOUT_MS = 10_000
const RECONNECT_MS = 1_000
const CONNECT_TIMEOUT_MS = 5_000
const KEEPALIVE_SECONDS = 15
/** Wire version 3.1.1, which every broker since 2014 speaks. */
const PROTOCOL_VERSION = 4
/** Refusals that trying again does not mend (MQTT 3.1.1, table 3.1): version, client id, user or password, authorisation. */
const FINAL_REFUSALS = new Set([1, 2, 4, 5])
const REFUSED_CLIENT_ID = 2

/** A client that is on its way to its broker. It tries for ever; `connected` says when that makes no sense. */
export function mqttClient(address: MqttAddress, options: IClientOptions): MqttClient {
  const { url, clientId, username, password, tls } = address
  return connect(url, {
    clientId,
    protocolVersion: PROTOCOL_VERSION,
    keepalive: KEEPALIVE_SECONDS,
    reconnectPeriod: RECONNECT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectOnConnackError: true,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...tls,
    ...options,
  })
}

/**
 * Resolves once the broker has taken the client. Rejects, naming address and config key, where no later attempt can succeed, or
 * when no broker answers in time.
 */
export async function connected(client: MqttClient, address: MqttAddress): Promise<void> {
  const giveUp = new AbortController()
  try {
    await Promise.race([accepted(client, address), tooLate(client, address, giveUp.signal)])
  } finally {
    giveUp.abort()
  }
  watch(client, address)
}

function accepted(client: MqttClient, { url, configKey }: MqttAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve())
    client.on('error', (error) => {
      const key = refusedKey(error)
      if (key === null) return
      const why = tlsWords(error.message)
      reject(new Error(`MQTT broker ${url} refuses the connection (config key ${configKey}.${key}): ${why}`))
    })
  })
}

/** Rejects after a time, with what was heard last. */
async function tooLate(
  client: MqttClient,
  { url, configKey, startTimeoutMs = START_TIMEOUT_MS }: MqttAddress,
  signal: AbortSignal,
): Promise<void> {
  let why = 'no answer'
  client.on('error', (error) => {
    why = tlsWords(error.message || String((error as NodeJS.ErrnoException).code))
  })
  await sleep(startTimeoutMs, undefined, { signal }).catch(() => {})
  if (!signal.aborted)
    throw new Error(`no MQTT broker answers at ${url} (config key ${configKey}.url): ${why}`)
}

/** The key to mend before another attempt can succeed, or null where a later one may. */
function refusedKey(error: Error & { code?: unknown }): string | null {
  if (isTlsProblem(error)) return 'tls'
  if (typeof error.code !== 'number' || !FINAL_REFUSALS.has(error.code)) return null
  return error.code === REFUSED_CLIENT_ID ? 'client_id' : 'username'
}

/** Tells of the connection once it has stood for the first time. */
function watch(client: MqttClient, { url, onEvent }: MqttAddress): void {
  const closed = 'connection closed'
  let why = closed
  let lost = false
  client.removeAllListeners('error')
  client.on('error', (error) => {
    why = error.message
  })
  client.on('close', () => {
    if (lost || client.disconnecting) return
    lost = true
    onEvent?.('mqtt_lost', `${url}: ${why}`)
  })
  client.on('connect', () => {
    if (!lost) return
    lost = false
    why = closed
    onEvent?.('mqtt_back', url)
  })
}
