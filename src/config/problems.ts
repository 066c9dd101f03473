/** What can be wrong with a configuration file, in words and with its place. */
import type { ErrorObject } from 'ajv'
import { type SchemaNode, variantOf } from './kinds.ts'

/** Keys and list indexes from the top of the file to a value. */
export type Path = readonly (string | number)[]

export interface Problem {
  path: Path
  /** Whether the message is about the key itself rather than its value. */
  at: 'key' | 'value'
  message: string
}

/** A configuration that cannot be used; `problems` holds every finding as `file:line:column: message`. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** `sinks[0].flags` */
export function pathText(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${part}` : part),
    '',
  )
}

/** A problem of the value at `path`, which its message names. */
export function problem(path: Path, message: string): Problem {
  return { path, at: 'value', message: `${pathText(path)}: ${message}` }
}

/** What a value may be, in words; used in messages and in the reference. */
export function expectation(node: SchemaNode): string {
  switch (node['x-kind']) {
    case 'duration':
      return node.pattern?.startsWith('^0*')
        ? 'a duration above zero such as 90s, 15m, 2h or 1d'
        : 'a duration such as 90s, 15m, 2h or 1d'
    case 'time':
      return 'a time such as 2020-03-09T00:00:00Z'
    case 'size':
      return 'a size such as 512MiB or 4GiB'
    case 'choices':
      return `a list of at least 1, each ${node.items ? expectation(node.items) : 'a value'}, or a range {min, max, scale}`
    case 'path':
      return 'a path'
    case 'secret':
      return 'a text, a variable or file:PATH'
  }
  if (node.const !== undefined) return `${node.const}`
  if (node.enum) return node.enum.length === 1 ? `${node.enum[0]}` : `one of ${node.enum.join(', ')}`
  if (node.anyOf) return node.anyOf.map(expectation).join(' or ')
  if (node.oneOf) return `a section whose type is ${variantNames(node).join(' or ')}`
  switch (node.type) {
    case 'integer':
      return `a whole number${bounds(node)}`
    case 'number':
      return `a number${bounds(node)}`
    case 'boolean':
      return 'true or false'
    case 'string':
      return 'a text'
    case 'array':
      return `a list${node.minItems ? ` of at least ${node.minItems}` : ''}${node.items ? `, each ${expectation(node.items)}` : ''}`
    default:
      return 'a section of `key: value` lines'
  }
}

function variantNames(node: SchemaNode): string[] {
  return (node.oneOf ?? []).map((variant) => String(variant.properties?.type?.const))
}

function bounds(node: SchemaNode): string {
  const parts = []
  if (node.minimum !== undefined) parts.push(`from ${node.minimum}`)
  if (node.exclusiveMinimum !== undefined) parts.push(`above ${node.exclusiveMinimum}`)
  if (node.maximum !== undefined) parts.push(`up to ${node.maximum}`)
  if (node.exclusiveMaximum !== undefined) parts.push(`below ${node.exclusiveMaximum}`)
  return parts.length > 0 ? ` ${parts.join(' ')}` : ''
}

/** Longest text of a found value that a message repeats, characters. */
const FOUND_LENGTH = 60

function found(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a section'
  if (typeof value === 'number') return String(value) // JSON has neither NaN nor infinity
  const text = JSON.stringify(value)
  return text.length > FOUND_LENGTH ? `${text.slice(0, FOUND_LENGTH)}…` : text
}

/** The findings of the validator as problems, one a place, in the order of the validator. */
export function describeErrors(
  errors: readonly ErrorObject[],
  root: SchemaNode,
  document: unknown,
): Problem[] {
  const seen = new Set<string>()
  const problems: Problem[] = []
  for (const error of errors) {
    const problem = describe(error, root, document)
    const key = JSON.stringify([
      problem.path,
      problem.at === 'key' || error.keyword === 'required' ? problem.message : '',
    ])
    if (seen.has(key)) continue
    seen.add(key)
    problems.push(problem)
  }
  return problems
}

function describe(error: ErrorObject, root: SchemaNode, document: unknown): Problem {
  const { path, node, value } = follow(error.instancePath, root, document)
  const prefix = path.length > 0 ? `${pathText(path)}: ` : ''
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params.additionalProperty)
    const known = Object.keys(node.properties ?? {})
    return {
      path: [...path, key],
      at: 'key',
      message: `unknown key ${pathText([...path, key])}; ${suggestion(key, known)}`,
    }
  }
  if (error.keyword === 'required') {
    const key = String(error.params.missingProperty)
    const missing = node.properties?.[key]
    return {
      path,
      at: 'value',
      message: `${pathText([...path, key])} is missing: ${missing?.description ?? 'required'}`,
    }
  }
  if (error.keyword === 'discriminator') {
    const names = variantNames(node)
    if (error.params.tagValue === undefined) {
      return {
        path,
        at: 'value',
        message: `${pathText([...path, 'type'])} is missing; one of ${names.join(', ')}`,
      }
    }
    const type = error.params.tagValue
    return {
      path: [...path, 'type'],
      at: 'value',
      message: `${pathText([...path, 'type'])}: found ${found(type)}; ${suggestion(String(type), names)}`,
    }
  }
  if (error.keyword === 'uniqueItems') {
    return {
      path: [...path, Number(error.params.i)],
      at: 'value',
      message: `${prefix}the same entry stands here twice`,
    }
  }
  const what = node['x-kind'] === 'secret' ? '' : `, found ${found(value)}`
  const near = node.enum && typeof value === 'string' ? nearest(value, node.enum.map(String)) : undefined
  return {
    path,
    at: 'value',
    message: `${prefix}expected ${expectation(node)}${what}${near ? `; did you mean "${near}"?` : ''}`,
  }
}

/** Walks a JSON pointer through document and schema at once. Alternatives (`anyOf`) are leaves here. */
function follow(pointer: string, root: SchemaNode, document: unknown) {
  const path: (string | number)[] = []
  let node = root
  let value = document
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    const key = Array.isArray(value) ? Number(name) : name
    path.push(key)
    value = (value as Record<string | number, unknown>)[key]
    const next = typeof key === 'number' ? node.items : node.properties?.[key]
    if (!next) throw new Error(`the schema has no place for ${pathText(path)}`)
    node = variantOf(next, value) ?? next
  }
  return { path, node, value }
}

function suggestion(text: string, known: readonly string[]): string {
  const near = nearest(text, known)
  return near ? `did you mean "${near}"?` : `known here: ${known.join(', ')}`
}

/** The known word within a few edits of `text`, if any: a third of its length, at least two. */
export function nearest(text: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(text.length / 3)) + 1
  for (const word of known) {
    const distance = editDistance(text.toLowerCase(), word.toLowerCase())
    if (distance < least && distance < word.length) {
      best = word
      least = distance
    }
  }
  return best
}

/** Edits between two words, a swap of neighbours being one (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, at(beforeLast, j - 2) + 1)
      }
      row.push(edits)
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? 0
}
