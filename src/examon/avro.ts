/** Avro values: with the id of their schema in a registry in front (Confluent), or with its fingerprint (single-object encoding). */
import avro, { type Type } from 'avsc'

/** What stands before the value. */
const REGISTRY_MAGIC = 0x00
const REGISTRY_HEADER = 5
const SINGLE_OBJECT_MAGIC = [0xc3, 0x01] as const
const SINGLE_OBJECT_HEADER = 10

/** How values of a schema are read: by an Avro type; as the JSON text that they are; or not at all, with the reason. */
export type ValueSchema = { avro: Type } | { json: true } | { refused: string }

/** A value, the JSON text that it is, or what is wrong with it. */
export type AvroContent = { value: unknown } | { json: Buffer } | { problem: string }

/** Id of the schema in the registry, or null where the bytes don't name one. */
export function registryId(bytes: Buffer | null): number | null {
  return bytes !== null && bytes[0] === REGISTRY_MAGIC && bytes.length >= REGISTRY_HEADER
    ? bytes.readUInt32BE(1)
    : null
}

/** What stands before a value of this schema. */
export function registryHeader(id: number): Buffer {
  const header = Buffer.alloc(REGISTRY_HEADER)
  header.writeUInt32BE(id, 1)
  return header
}

function isSingleObject(bytes: Buffer): boolean {
  return bytes[0] === SINGLE_OBJECT_MAGIC[0] && bytes[1] === SINGLE_OBJECT_MAGIC[1]
}

/** Whether the bytes say that a schema describes them. No payload and no topic begins so. */
export function isDescribed(bytes: Buffer): boolean {
  return bytes[0] === REGISTRY_MAGIC || isSingleObject(bytes)
}

/** Parses a schema; throws where it is none. */
export function parseSchema(text: string): Type {
  return avro.Type.forSchema(JSON.parse(text))
}

/** The library's reader of bytes and types, as far as they are replaced here (avsc 5.7, pinned). */
interface Tap {
  buf: Buffer
  pos: number
  readLong(): number
  skipLong(): void
  readString(): string
}
interface Reader {
  itemsType: Reader
  valuesType: Reader
  _read(this: Reader, tap: Tap): unknown
}
const [arrays, maps] = [avro.types.ArrayType, avro.types.MapType].map(
  (type) => type.prototype as unknown as Reader,
) as [Reader, Reader]

// Lists and maps of damaged bytes claim billions of entries, which the library would make before it looks whether the bytes were
// enough. An entry takes a byte at least, so that what is left bounds their number. Its types are frozen: the class is mended.
arrays._read = function (tap) {
  const list: unknown[] = []
  readBlocks(tap, () => list.push(this.itemsType._read(tap)))
  return list
}
maps._read = function (tap) {
  const entries: [string, unknown][] = []
  readBlocks(tap, () => entries.push([tap.readString(), this.valuesType._read(tap)]))
  return Object.fromEntries(entries)
}

/** Blocks of entries, each with their number in front; a negative one is followed by the block's size in bytes. */
function readBlocks(tap: Tap, readEntry: () => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) tap.skipLong()
    const left = tap.buf.length - tap.pos
    if (!(Math.abs(count) <= left)) throw new Error(`${Math.abs(count)} entries in ${left} bytes`)
    for (let i = Math.abs(count); i > 0; i--) readEntry()
  }
}

/** The schemas known so far. */
export class AvroSchemas {
  readonly #byId = new Map<number, ValueSchema>()
  readonly #byFingerprint = new Map<string, Type>()

  /** `own` are the schemas that single objects may have. */
  constructor(own: readonly Type[] = []) {
    for (const type of own) this.#byFingerprint.set(fingerprint(type).toString(16), type)
  }

  has(id: number): boolean {
    return this.#byId.has(id)
  }

  set(id: number, schema: ValueSchema): void {
    this.#byId.set(id, schema)
  }

  /** Reads bytes of which `isDescribed` says that a schema describes them. */
  read(bytes: Buffer): AvroContent {
    if (isSingleObject(bytes)) {
      if (bytes.length < SINGLE_OBJECT_HEADER) return { problem: 'an Avro single object without fingerprint' }
      const print = bytes.readBigUInt64LE(SINGLE_OBJECT_MAGIC.length).toString(16)
      const type = this.#byFingerprint.get(print)
      if (type === undefined) return { problem: `no file of source.avro_schemas has fingerprint ${print}` }
      return contentOf(type, bytes.subarray(SINGLE_OBJECT_HEADER))
    }
    const id = registryId(bytes)
    if (id === null) return { problem: 'ends within the id of its schema' }
    const schema = this.#byId.get(id)
    if (schema === undefined)
      return { problem: `schema ${id}, and there is no source.schema_registry to ask` }
    const rest = bytes.subarray(REGISTRY_HEADER)
    if ('refused' in schema) return { problem: `schema ${id}: ${schema.refused}` }
    return 'json' in schema ? { json: rest } : contentOf(schema.avro, rest)
  }
}

function contentOf(type: Type, bytes: Buffer): AvroContent {
  try {
    return { value: unwrapped(type.fromBuffer(bytes)) }
  } catch (error) {
    return { problem: `not of its schema: ${(error as Error).message}` }
  }
}

/** Unions of several kinds of number come as `{double: 21.4}`; what they hold is meant. */
function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapped)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  if ('unwrap' in value && typeof value.unwrap === 'function') return unwrapped(value.unwrap())
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, unwrapped(of)]))
}

const EMPTY = 0xc15d213aa4d7a795n
const BITS = 64

/** CRC-64-AVRO of the schema's canonical form (Avro specification 1.12, Schema Fingerprints). */
export function fingerprint(type: Type): bigint {
  let print = EMPTY
  for (const byte of Buffer.from(JSON.stringify(type.schema()))) {
    let entry = (print ^ BigInt(byte)) & 0xffn
    for (let i = 0; i < 8; i++) entry = (entry >> 1n) ^ (EMPTY & -(entry & 1n))
    print = BigInt.asUintN(BITS, (print >> 8n) ^ entry)
  }
  return print
}
