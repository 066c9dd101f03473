/** What source, sinks and checkpoint all need of a Kafka cluster: a clear word when it is not there, and its topics. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin, type Base, type ClusterMetadata, findErrorBy } from '@platformatic/kafka'
import { type KafkaSecurity, securityProblem, tlsAlert } from './kafka-security.ts'
import { tlsWords } from './tls.ts'

/** Where the cluster is, and which config key says so, for messages. */
export interface ClusterAddress {
  /** `host:port` of one or more brokers. */
  brokers: string[]
  clientId: string
  /** Config key of the addresses, e.g. `source.brokers`. */
  brokersKey: string
  /** How long to wait for a broker at start, ms. */
  startTimeoutMs?: number
  security?: KafkaSecurity
}

/** A broker that starts beside the daemon gets this long; then the address is taken to be wrong. */
const START_TIMEOUT_MS = 10_000
const RETRY_MS = 500
/** A topic just created takes a moment until every broker knows it. */
const TOPIC_TIMEOUT_MS = 2_000

/** Client options that hold everywhere here. Callers retry by themselves where they know better than the library. */
export function clientOptions(address: ClusterAddress) {
  return {
    clientId: address.clientId,
    bootstrapBrokers: address.brokers,
    connectTimeout: 3_000,
    ...address.security,
  }
}

/** Rejects, naming address and config key, when no broker answers in time. */
export async function assertReachable(address: ClusterAddress): Promise<void> {
  const deadline = Date.now() + (address.startTimeoutMs ?? START_TIMEOUT_MS)
  for (;;) {
    const admin = new Admin({ ...clientOptions(address), retries: 0 })
    try {
      await within(deadline - Date.now(), admin.metadata({ topics: [] }))
      return
    } catch (error) {
      const where = address.brokers.join(', ')
      const refusal = await refusalOf(address, error)
      if (refusal !== null) {
        const key = address.brokersKey.replace(/brokers$/, refusal.key)
        throw new Error(
          `Kafka at ${where} refuses the connection (config key ${key}): ${tlsWords(rootCause(refusal.error))}`,
        )
      }
      if (Date.now() + RETRY_MS >= deadline) {
        throw new Error(
          `no Kafka broker answers at ${where} (config key ${address.brokersKey}): ${tlsWords(rootCause(error))}`,
        )
      }
    } finally {
      await admin.close().catch(() => {})
    }
    await sleep(RETRY_MS)
  }
}

/** Why no attempt will succeed before the configuration is mended, or null where a later one may. */
async function refusalOf(
  { brokers, security }: ClusterAddress,
  error: unknown,
): Promise<{ key: 'tls' | 'sasl'; error: unknown } | null> {
  const key = securityProblem(error)
  if (key !== null) return { key, error }
  const [broker] = brokers
  if (security?.tls === undefined || broker === undefined) return null
  const alert = await tlsAlert(broker, security.tls)
  return alert !== null && securityProblem(alert) === 'tls' ? { key: 'tls', error: alert } : null
}

/** Metadata of topics that must exist; null where one does not, with its name in `missing`. */
export async function topicMetadata(
  client: Base,
  topics: string[],
): Promise<ClusterMetadata | { missing: string }> {
  const deadline = Date.now() + TOPIC_TIMEOUT_MS
  for (;;) {
    try {
      return await client.metadata({ topics: [...topics], forceUpdate: true, retries: 0 })
    } catch (error) {
      const missing = /^Unknown topic (.+)\.$/.exec((error as Error).message)?.[1]
      if (Date.now() > deadline) {
        if (missing !== undefined) return { missing }
        throw error
      }
    }
    await sleep(RETRY_MS / 5)
  }
}

/** A topic to be there: as it is, or as it is to be created. */
export interface WantedTopic {
  topic: string
  partitions: number
  configs: { name: string; value: string }[]
}

/**
 * Sees to it that the topics exist, creating what is missing where `create` allows it, with the cluster's default
 * replication. Rejects naming the topic, the config key that names it, and how to create it.
 */
export async function ensureTopics(
  address: ClusterAddress,
  wanted: (WantedTopic & { key: string })[],
  create: boolean,
): Promise<void> {
  const admin = new Admin({ ...clientOptions(address), retries: 3, retryDelay: RETRY_MS })
  try {
    const existing = new Set(await admin.listTopics())
    for (const { topic, partitions, configs, key } of wanted) {
      if (existing.has(topic)) continue
      if (!create) throw missingTopic(topic, key, address)
      try {
        // -1: the broker's default.replication.factor.
        await admin.createTopics({ topics: [topic], partitions, replicas: -1, configs })
      } catch (error) {
        // Another member of the group may have been quicker.
        if (findErrorBy(error as Error, 'apiId', 'TOPIC_ALREADY_EXISTS') === null) {
          throw new Error(`could not create topic ${topic} (config key ${key}): ${rootCause(error)}`)
        }
      }
    }
    const metadata = await topicMetadata(
      admin,
      wanted.map((w) => w.topic),
    )
    if ('missing' in metadata)
      throw new Error(`topic ${metadata.missing} was created, but the brokers do not know it yet`)
  } finally {
    await admin.close().catch(() => {})
  }
}

/** The error for a topic that is not there. */
export function missingTopic(topic: string, key: string, address: ClusterAddress): Error {
  const command = `kafka-topics.sh --bootstrap-server ${address.brokers[0]} --create --topic ${topic}`
  return new Error(
    `topic ${topic} does not exist on ${address.brokers.join(', ')} (config key ${key}); create it, e.g. ${command}`,
  )
}

type NestedError = Error & { errors?: unknown[] }

/** The innermost message of the library's nested errors, which is the one that says something. */
export function rootCause(error: unknown): string {
  let inner = error as NestedError
  for (;;) {
    const next = inner.errors?.at(-1) ?? inner.cause
    if (!(next instanceof Error)) return inner.message || String(inner)
    inner = next
  }
}

/** The promise, or a rejection after `ms`. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer within ${Math.max(0, Math.round(ms))} ms`)),
      Math.max(0, ms),
    )
  })
  promise.catch(() => {}) // one that loses the race may still reject
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Offsets are 64 bits wide on the wire; beyond 2^53 no partition has ever come, and sums would go wrong silently. */
export function toNumber(offset: bigint): number {
  const number = Number(offset)
  if (!Number.isSafeInteger(number)) throw new Error(`offset ${offset} is beyond 2^53`)
  return number
}
