/**
 * One YAML document read by a schema: variables expanded, defaults filled in, checked, texts converted. Nothing here
 * knows which keys there are.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml'
import { parseDuration } from './duration.ts'
import { ANNOTATIONS, type SchemaNode, variantOf } from './kinds.ts'
import { ConfigError, describeErrors, type Path, type Problem, pathText } from './problems.ts'
import { Secret } from './secret.ts'
import { parseSize } from './size.ts'

/** A check across keys, for what a schema cannot say; run when the sections it reads are sound. */
export interface Rule<T> {
  /** Top-level keys that the rule reads. */
  reads: readonly string[]
  check(value: T): Problem[]
}

export interface ReadOptions<T> {
  rules: readonly Rule<T>[]
  /** Where `${VARIABLE}` is looked up. */
  environment: Readonly<Record<string, string | undefined>>
}

/**
 * Reads and checks a YAML file. Relative paths are resolved against the file's folder.
 *
 * @throws ConfigError with every problem found, each with file, line and column.
 */
export function readDocument<T>(file: string, schema: object, options: ReadOptions<T>): T {
  const root = schema as SchemaNode
  const source = readSource(file)
  const problems: Problem[] = []
  const expanded = expandVariables(source.document, options.environment, problems)
  const filled = fill(root, source.document.toJS() ?? {}, [], expanded)
  const validate = new Ajv2020({ allErrors: true, discriminator: true, allowUnionTypes: true })
    .addVocabulary([...ANNOTATIONS])
    .compile(schema)
  if (!validate(filled)) {
    const unresolved = problems.map((problem) => pathText(problem.path))
    problems.push(
      ...describeErrors(validate.errors ?? [], root, filled).filter(
        (p) => !unresolved.includes(pathText(p.path)),
      ),
    )
  }
  const broken = new Set(problems.map((problem) => problem.path[0]))
  if (broken.has(undefined)) throw source.error(problems)
  const sound = Object.fromEntries(Object.entries(filled as object).filter(([key]) => !broken.has(key)))
  const value = convert(root, sound, [], dirname(resolve(file)), problems) as T
  for (const rule of options.rules) {
    if (!rule.reads.some((key) => broken.has(key))) problems.push(...rule.check(value))
  }
  if (problems.length > 0) throw source.error(problems)
  return value
}

/** The value of an empty document: every default. */
export function defaultsOf<T>(schema: object): T {
  const root = schema as SchemaNode
  return convert(root, fill(root, {}, [], new Set()), [], process.cwd(), []) as T
}

interface Source {
  document: Document
  /** The problems with their places, in the order of the file. */
  error(problems: readonly Problem[]): ConfigError
}

function readSource(file: string): Source {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError([`${file}: ${whyUnreadable(error)}`])
  }
  const lines = new LineCounter()
  // Pretty errors would quote the line, and with it a secret that stands on it.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, col, text: `${file}:${line}:${col}` }
  }
  if (document.errors.length > 0) {
    throw new ConfigError(document.errors.map((e) => `${place(e.pos[0]).text}: ${e.message}`))
  }
  if (document.contents !== null && !isMap(document.contents)) {
    throw new ConfigError([`${place(document.contents.range?.[0] ?? 0).text}: expected \`key: value\` lines`])
  }
  return {
    document,
    error: (problems) =>
      new ConfigError(
        problems
          .map((problem) => ({ ...place(offsetOf(document, problem)), message: problem.message }))
          .sort((a, b) => a.line - b.line || a.col - b.col)
          .map((p) => `${p.text}: ${p.message}`),
      ),
  }
}

/** Offset in the text of what a problem is about; of the nearest enclosing value where the key is not written. */
function offsetOf(document: Document, problem: Problem): number {
  let node = document.contents as Node | null
  let offset = node?.range?.[0] ?? 0
  for (const [depth, part] of problem.path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part))
      if (!pair) return offset
      const key = (pair.key as Node).range?.[0] ?? offset
      node = pair.value as Node | null
      const value = isScalar(node) && node.value === null ? key : (node?.range?.[0] ?? key)
      offset = problem.at === 'key' && depth === problem.path.length - 1 ? key : value
    } else if (isSeq(node)) {
      node = (node.items[Number(part)] as Node | undefined) ?? null
      if (!node) return offset
      offset = node.range?.[0] ?? offset
    } else {
      return offset
    }
  }
  return offset
}

/** Replaces `${NAME}` in every text of the document; returns the places where that happened. */
function expandVariables(
  document: Document,
  environment: ReadOptions<never>['environment'],
  problems: Problem[],
) {
  const expanded = new Set<string>()
  visit(document, {
    Scalar(key, scalar, ancestors) {
      if (key === 'key' || typeof scalar.value !== 'string' || !scalar.value.includes('${')) return
      const path = pathOf(ancestors, key)
      scalar.value = scalar.value.replace(/\$(\$?)\{([^}]*)(\}?)/g, (all, dollar, name, end) => {
        if (dollar) return all.slice(1)
        const value = environment[name]
        if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || !end) {
          problems.push({
            path,
            at: 'value',
            message: `${pathText(path)}: \`\${\` begins the name of a variable, as in \${NAME}; write $\${ for the text itself`,
          })
        } else if (value === undefined) {
          problems.push({
            path,
            at: 'value',
            message: `${pathText(path)}: environment variable ${name} is not set`,
          })
        }
        return value ?? ''
      })
      expanded.add(pathText(path))
    },
  })
  return expanded
}

/** Keys and indexes that lead through a visitor's ancestors to the node visited last. */
function pathOf(ancestors: readonly unknown[], last: unknown): Path {
  const path: (string | number)[] = []
  ancestors.forEach((ancestor, i) => {
    const next = ancestors[i + 1]
    if (isMap(ancestor)) path.push(String((next as { key: { value: unknown } }).key.value))
    else if (isSeq(ancestor)) path.push(next === undefined ? Number(last) : ancestor.items.indexOf(next))
  })
  return path
}

/**
 * A copy with defaults filled in. An empty section (every line of it commented out) is one with defaults only; an
 * expanded text becomes a number or a boolean where the schema wants one.
 */
function fill(node: SchemaNode, value: unknown, path: Path, expanded: ReadonlySet<string>): unknown {
  if (value === null && node.type === 'object' && node.default !== undefined) value = node.default
  if (typeof value === 'string' && expanded.has(pathText(path))) return typed(node, value)
  if (Array.isArray(value)) {
    const items = node.items
    return items ? value.map((item, i) => fill(items, item, [...path, i], expanded)) : value
  }
  if (typeof value !== 'object' || value === null) return value
  const properties = (variantOf(node, value) ?? node).properties ?? {}
  const filled: Record<string, unknown> = { ...value }
  for (const [key, property] of Object.entries(properties)) {
    const given = key in filled ? filled[key] : property.default
    if (given !== undefined) filled[key] = fill(property, given, [...path, key], expanded)
  }
  return filled
}

function typed(node: SchemaNode, text: string): unknown {
  for (const type of [node, ...(node.anyOf ?? [])].map((n) => n.type)) {
    if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
    if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  }
  return text
}

/** The checked document as the program sees it: durations in seconds, times in ms, absolute paths, secrets. */
function convert(node: SchemaNode, value: unknown, path: Path, folder: string, problems: Problem[]): unknown {
  if (typeof value === 'string') {
    switch (node['x-kind']) {
      case 'duration':
        return parseDuration(value)
      case 'time':
        return convertTime(value, path, problems)
      case 'size':
        return parseSize(value)
      case 'path':
        return resolve(folder, value)
      case 'secret':
        return readSecret(value, path, folder, problems)
    }
    return value
  }
  const within = (inner: SchemaNode, item: unknown, key: string | number) =>
    convert(inner, item, [...path, key], folder, problems)
  if (Array.isArray(value)) return value.map((item, i) => within(node.items ?? {}, item, i))
  if (typeof value !== 'object' || value === null) return value
  const properties = (variantOf(node, value) ?? node).properties ?? {}
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, within(properties[key] ?? {}, item, key)]),
  )
}

function convertTime(text: string, path: Path, problems: Problem[]): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) {
    problems.push({ path, at: 'value', message: `${pathText(path)}: there is no such time: ${text}` })
  }
  return ms
}

const SECRET_FILE = 'file:'

function readSecret(text: string, path: Path, folder: string, problems: Problem[]): Secret {
  if (!text.startsWith(SECRET_FILE)) return new Secret(text)
  const file = resolve(folder, text.slice(SECRET_FILE.length))
  const refuse = (why: string) => {
    problems.push({ path, at: 'value', message: `${pathText(path)}: secret file ${file} ${why}` })
    return new Secret('')
  }
  try {
    const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    return content === '' ? refuse('is empty') : new Secret(content)
  } catch (error) {
    return refuse(`cannot be used: ${whyUnreadable(error)}`)
  }
}

function whyUnreadable(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'no such file'
    case 'EISDIR':
      return 'is a folder'
    case 'EACCES':
      return 'no permission to read it'
    default:
      return String(error)
  }
}
