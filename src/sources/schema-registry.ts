/** A schema registry with Confluent's interface, over HTTP. */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type AvroSchemas, parseSchema, registryId, type ValueSchema } from '../examon/avro.ts'
import { retry } from './retry.ts'
import type { SourceRecord } from './source.ts'
import type { TlsOptions } from './tls.ts'

export interface RegistryAddress {
  /** With its path, e.g. `https://registry.example.org:8081`. */
  url: string
  /** Config key, for messages. */
  key: string
  username?: string
  password?: string
  tls?: TlsOptions
}

const TIMEOUT_MS = 5_000
/** A schema that the registry did not know is asked for again after this, ms: it may be registered after its first record. */
const UNKNOWN_MS = 60_000
const NOT_FOUND = 404
const CONFLICT = 409
const MIME = 'application/vnd.schemaregistry.v1+json'

/** What the registry answers, if it is no success. */
class RegistryError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The schema of an id. Throws a RegistryError for an answer that is none, other errors where there is no answer. */
export async function fetchSchema(address: RegistryAddress, id: number): Promise<ValueSchema> {
  const found = await ask(address, 'GET', `/schemas/ids/${id}`)
  const {
    schema,
    schemaType = 'AVRO',
    references = [],
  } = found as {
    schema: string
    schemaType?: string
    references?: unknown[]
  }
  if (schemaType === 'JSON') return { json: true }
  if (schemaType !== 'AVRO') return { refused: `of type ${schemaType}; AVRO and JSON are read` }
  if (references.length > 0) return { refused: 'refers to other schemas, which is not supported' }
  try {
    return { avro: parseSchema(schema) }
  } catch (error) {
    return { refused: (error as Error).message }
  }
}

/** Registers a schema, or finds it there; its id. Rejects where the subject's compatibility forbids it, naming both. */
export async function registerSchema(
  address: RegistryAddress,
  subject: string,
  schema: object,
): Promise<number> {
  try {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const { id } = (await ask(address, 'POST', path, { schema: JSON.stringify(schema) })) as { id: number }
    return id
  } catch (error) {
    const { url, key } = address
    if (error instanceof RegistryError && error.status === CONFLICT)
      throw new Error(
        `schema registry ${url} has a schema of ${subject} that this one is not compatible with`,
      )
    throw new Error(`schema registry ${url} (config key ${key}.url): ${(error as Error).message}`)
  }
}

/** Fetches the schemas of records before they are decoded; while the registry is away, they wait. */
export class RegistrySchemas {
  readonly #address: RegistryAddress
  readonly #schemas: AvroSchemas
  readonly #unknown = new Map<number, number>()
  readonly #onOutage: (reason: string | null) => void

  /** `onOutage` hears why the registry does not answer, and null when it does again. */
  constructor(address: RegistryAddress, schemas: AvroSchemas, onOutage: (reason: string | null) => void) {
    this.#address = address
    this.#schemas = schemas
    this.#onOutage = onOutage
  }

  /** Resolves when every schema that the records name is there or known not to be, or the signal aborts. */
  async prepare(records: readonly SourceRecord[], signal: AbortSignal): Promise<void> {
    for (const { key, value } of records) {
      for (const id of [registryId(value), registryId(key)]) {
        if (id !== null && this.#isWanted(id)) await this.#fetch(id, signal)
      }
    }
  }

  #isWanted(id: number): boolean {
    const askedMs = this.#unknown.get(id)
    return askedMs === undefined ? !this.#schemas.has(id) : Date.now() > askedMs + UNKNOWN_MS
  }

  async #fetch(id: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    let isAway = false
    const isAnswered = await retry(
      async () => this.#take(id, await this.#answer(id)),
      (error) => {
        isAway = true
        this.#onOutage(`schema registry ${this.#address.url}: ${(error as Error).message}`)
      },
      signal,
    )
    if (isAway && isAnswered) this.#onOutage(null)
  }

  /** The schema, or null where the registry does not know it. */
  async #answer(id: number): Promise<ValueSchema | null> {
    try {
      return await fetchSchema(this.#address, id)
    } catch (error) {
      if (error instanceof RegistryError && error.status === NOT_FOUND) return null
      throw error
    }
  }

  #take(id: number, schema: ValueSchema | null): void {
    this.#schemas.set(id, schema ?? { refused: `unknown to ${this.#address.url}` })
    if (schema === null) this.#unknown.set(id, Date.now())
    else this.#unknown.delete(id)
  }
}

function ask(
  { url, username, password = '', tls }: RegistryAddress,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const target = new URL(`${url.replace(/\/$/, '')}${path}`)
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const request = send(
      target,
      {
        method,
        headers: { accept: MIME, ...(body === undefined ? {} : { 'content-type': MIME }) },
        ...(username === undefined ? {} : { auth: `${username}:${password}` }),
        ...tls,
        timeout: TIMEOUT_MS,
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('error', reject)
        response.on('end', () => {
          try {
            const status = response.statusCode ?? 0
            const answer = parseAnswer(text, status)
            if (status >= 200 && status < 300) resolve(answer)
            else reject(new RegistryError(status, `HTTP ${status}${messageOf(answer)}`))
          } catch (error) {
            reject(error)
          }
        })
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    request.on('error', reject)
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

function parseAnswer(text: string, status: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    if (status >= 200 && status < 300) throw new Error(`no JSON but ${JSON.stringify(text.slice(0, 60))}`)
    return null
  }
}

function messageOf(answer: unknown): string {
  const message = (answer as { message?: unknown } | null)?.message
  return typeof message === 'string' ? `: ${message}` : ''
}
