/**
 * Building blocks of configuration schemas: JSON Schema nodes whose `x-kind` says how the written text becomes the
 * value that the program sees, so that one schema gives the type, the check, the conversion and the reference.
 */
import Type from 'typebox'
import { DURATION_PATTERN, POSITIVE_DURATION_PATTERN, type Seconds } from './duration.ts'
import type { Secret } from './secret.ts'
import { type Bytes, SIZE_PATTERN } from './size.ts'

/**
 * How a checked text is converted: seconds, ms since the epoch, bytes, a path resolved against the file's folder, a
 * secret. `choices` is a list of values or a range, see config/tune.ts.
 */
export type Kind = 'duration' | 'time' | 'size' | 'path' | 'secret' | 'choices'

/** A schema as the loader and the reference walk it: plain JSON Schema with the annotations of this module. */
export interface SchemaNode {
  /** Several where a value may take either form, each with its own keywords. */
  type?: string | string[]
  description?: string
  default?: unknown
  examples?: unknown[]
  properties?: Record<string, SchemaNode>
  required?: string[]
  items?: SchemaNode
  anyOf?: SchemaNode[]
  /** Variants of a section, told apart by the constant of their `type`. */
  oneOf?: SchemaNode[]
  const?: unknown
  enum?: unknown[]
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  minItems?: number
  uniqueItems?: boolean
  additionalProperties?: boolean
  'x-kind'?: Kind
  'x-unit'?: string
  /** In words: what holds when the key is left out and no constant can say it. */
  'x-otherwise'?: string
}

export const ANNOTATIONS = ['x-kind', 'x-unit', 'x-otherwise'] as const

/** What every key says of itself. */
export interface Notes {
  description: string
  default?: unknown
  examples?: unknown[]
  'x-unit'?: string
  'x-otherwise'?: string
}

/** ISO 8601 with a zone, to the second or finer. */
const TIME_PATTERN = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?(Z|[+-]\\d{2}:\\d{2})$'

export const duration = (notes: Notes) =>
  Type.Unsafe<Seconds>({ type: 'string', pattern: DURATION_PATTERN, 'x-kind': 'duration', ...notes })

export const positiveDuration = (notes: Notes) =>
  Type.Unsafe<Seconds>({ type: 'string', pattern: POSITIVE_DURATION_PATTERN, 'x-kind': 'duration', ...notes })

/** A moment; ms since the epoch once loaded. */
export const time = (notes: Notes) =>
  Type.Unsafe<number>({ type: 'string', pattern: TIME_PATTERN, 'x-kind': 'time', ...notes })

/** An amount of memory; bytes once loaded. */
export const size = (notes: Notes) =>
  Type.Unsafe<Bytes>({ type: 'string', pattern: SIZE_PATTERN, 'x-kind': 'size', ...notes })

/** A file, folder or glob; absolute once loaded. */
export const path = (notes: Notes) =>
  Type.Unsafe<string>({ type: 'string', minLength: 1, 'x-kind': 'path', ...notes })

export const secret = (notes: Notes) =>
  Type.Unsafe<Secret>({ type: 'string', minLength: 1, 'x-kind': 'secret', ...notes })

export const text = (notes: Notes) => Type.String({ minLength: 1, ...notes })

/** A section that refuses unknown keys. */
export const section = <P extends Type.TProperties>(properties: P, notes: Notes) =>
  Type.Object(properties, { additionalProperties: false, ...notes })

/** One of several sections, told apart by their `type`. */
export const variants = <const V extends Type.TObject[]>(sections: V, notes: Notes) =>
  Type.Unsafe<Type.Static<V[number]>>({
    type: 'object',
    oneOf: sections,
    discriminator: { propertyName: 'type' },
    ...notes,
  })

/** The variant that a section's `type` names, or undefined where it names none. */
export function variantOf(node: SchemaNode, value: unknown): SchemaNode | undefined {
  const type = (value as { type?: unknown } | null)?.type
  return node.oneOf?.find((variant) => variant.properties?.type?.const === type)
}
