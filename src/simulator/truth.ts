import { readFile, rename, writeFile } from 'node:fs/promises'
import { FAULT_KINDS, type Fault, type FaultKind } from './faults.ts'

/** The file that stands beside a simulated history and tells what was injected. */
export interface Truth {
  seed: number
  /** All nodes of the machine. */
  nodes: string[]
  fromMs: number
  toMs: number
  faults: Fault[]
}

/** Writes `truth.json`: times as ISO 8601 (`start`, `end`), everything else as in memory. */
export async function writeTruth(path: string, truth: Truth): Promise<void> {
  const { seed, nodes, fromMs, toMs, faults } = truth
  const json = {
    version: 1,
    seed,
    start: new Date(fromMs).toISOString(),
    end: new Date(toMs).toISOString(),
    nodes,
    faults: faults.map(({ startMs, endMs, ...rest }) => ({
      ...rest,
      start: new Date(startMs).toISOString(),
      end: new Date(endMs).toISOString(),
    })),
  }
  await writeFile(`${path}.tmp`, `${JSON.stringify(json, null, 2)}\n`)
  await rename(`${path}.tmp`, path)
}

/** Reads what `writeTruth` wrote; throws with the file and the key that does not fit. */
export async function readTruth(path: string): Promise<Truth> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new Error(`${path}: cannot be read as JSON: ${(error as Error).message}`)
  }
  const root = record(json, path, 'the file')
  if (root.version !== 1) throw new Error(`${path}: version is ${JSON.stringify(root.version)}, expected 1`)
  return {
    seed: number(root.seed, path, 'seed'),
    nodes: strings(root.nodes, path, 'nodes'),
    fromMs: time(root.start, path, 'start'),
    toMs: time(root.end, path, 'end'),
    faults: array(root.faults, path, 'faults').map((item, i) => {
      const at = `faults[${i}]`
      const fault = record(item, path, at)
      if (!FAULT_KINDS.includes(fault.kind as FaultKind)) {
        throw new Error(
          `${path}: ${at}.kind is ${JSON.stringify(fault.kind)}, known: ${FAULT_KINDS.join(', ')}`,
        )
      }
      const startMs = time(fault.start, path, `${at}.start`)
      const endMs = time(fault.end, path, `${at}.end`)
      if (endMs <= startMs) throw new Error(`${path}: ${at}.end is not after its start`)
      return {
        id: string(fault.id, path, `${at}.id`),
        kind: fault.kind as FaultKind,
        nodes: strings(fault.nodes, path, `${at}.nodes`),
        rack: string(fault.rack, path, `${at}.rack`),
        startMs,
        endMs,
        metrics: strings(fault.metrics, path, `${at}.metrics`),
        severity: number(fault.severity, path, `${at}.severity`),
      }
    }),
  }
}

function wrong(path: string, key: string, found: unknown, wanted: string): Error {
  return new Error(`${path}: ${key} is ${JSON.stringify(found) ?? 'missing'}, expected ${wanted}`)
}

function record(value: unknown, path: string, key: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(path, key, value, 'an object')
  return value as Record<string, unknown>
}

function array(value: unknown, path: string, key: string): unknown[] {
  if (!Array.isArray(value)) throw wrong(path, key, value, 'a list')
  return value
}

function string(value: unknown, path: string, key: string): string {
  if (typeof value !== 'string' || value === '') throw wrong(path, key, value, 'a text')
  return value
}

function strings(value: unknown, path: string, key: string): string[] {
  return array(value, path, key).map((item, i) => string(item, path, `${key}[${i}]`))
}

function number(value: unknown, path: string, key: string): number {
  if (typeof value !== 'number') throw wrong(path, key, value, 'a number')
  return value
}

function time(value: unknown, path: string, key: string): number {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) throw wrong(path, key, value, 'an ISO 8601 time')
  return ms
}
