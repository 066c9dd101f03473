import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Ajv } from 'ajv'
import { featureCount } from '../windows/schema.ts'
import { ModelError } from './errors.ts'
import { type Manifest, ManifestSchema } from './manifest.ts'
import { EVIDENCE } from './scoring.ts'

/** Version of the directory's form; another one is refused. */
export const BUNDLE_FORMAT = 1

/** File of a bundle that holds the hashes of all others. */
export const MANIFEST = 'manifest.json'
const MODEL = 'model.onnx'
const CALIBRATION = 'calibration.f64'
const REFERENCE = 'reference.f32'

/** A bundle, read and checked. */
export interface Bundle {
  path: string
  /** The model version: first 12 hex digits of the sha256 of the manifest, which holds those of all other files. */
  version: string
  manifest: Manifest
  /** The scoring graph. */
  model: Uint8Array
  /** Combined evidence of the calibration windows, ascending. */
  combined: Float64Array
  /** Scaled windows, rows × d, as `manifest.reference` says. */
  reference: Float32Array
}

/**
 * Writes a bundle beside `path` and renames it into place, so that `path` is never half a bundle. An older bundle at
 * `path` is replaced; anything else there is left alone and refused. Returns the model version.
 */
export function writeBundle(
  path: string,
  content: Pick<Bundle, 'model' | 'combined' | 'reference'> & {
    manifest: Omit<Manifest, 'format' | 'files'>
  },
): string {
  const target = resolve(path)
  checkReplaceable(target)
  const staging = join(dirname(target), `.${basename(target)}.tmp-${process.pid}`)
  const old = `${staging}.old`
  // A killed process may have had the same id, as every first process of a container has.
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true })
  try {
    const files = {
      [MODEL]: content.model,
      [CALIBRATION]: bytes(content.combined),
      [REFERENCE]: bytes(content.reference),
    }
    const manifest: Manifest = {
      format: BUNDLE_FORMAT,
      ...content.manifest,
      files: Object.fromEntries(Object.entries(files).map(([name, data]) => [name, sha256(data)])),
    }
    const text = `${JSON.stringify(manifest, null, 2)}\n`
    for (const [name, data] of Object.entries(files)) writeFileSync(join(staging, name), data)
    writeFileSync(join(staging, MANIFEST), text)
    rmSync(old, { recursive: true, force: true })
    const isReplacing = existsSync(target)
    if (isReplacing) renameSync(target, old)
    try {
      renameSync(staging, target)
    } catch (error) {
      if (isReplacing) renameSync(old, target)
      throw error
    }
    rmSync(old, { recursive: true, force: true })
    return sha256(Buffer.from(text)).slice(0, 12)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** Refuses to replace what is not a bundle. Called early by `bootstrap`, before hours of training. */
export function checkReplaceable(path: string): void {
  if (!existsSync(path) || existsSync(join(path, MANIFEST))) return
  throw new ModelError(
    'bundle_mismatch',
    `${path} exists and is not a bundle (it has no ${MANIFEST}); choose another --out or remove it`,
  )
}

/** Reads a bundle and checks form, hashes and that its parts agree. */
export function openBundle(path: string): Bundle {
  const text = readPart(path, MANIFEST)
  const manifest = parseManifest(path, text)
  const parts = new Map<string, Buffer>()
  for (const [name, expected] of Object.entries(manifest.files)) {
    const data = readPart(path, name)
    const found = sha256(data)
    if (found !== expected) {
      throw new ModelError(
        'bundle_broken',
        `bundle ${path}: ${name} is truncated or changed: ${data.length} bytes with sha256 ${found.slice(0, 12)}…, the manifest says ${expected.slice(0, 12)}…`,
      )
    }
    parts.set(name, data)
  }
  const part = (name: string): Buffer => {
    const data = parts.get(name)
    if (data === undefined) {
      throw new ModelError('bundle_broken', `bundle ${path}: the manifest must list ${name}`)
    }
    return data
  }
  const bundle: Bundle = {
    path: resolve(path),
    version: sha256(text).slice(0, 12),
    manifest,
    model: part(MODEL),
    // Copies, since typed arrays want an aligned start.
    combined: new Float64Array(Uint8Array.from(part(CALIBRATION)).buffer),
    reference: new Float32Array(Uint8Array.from(part(REFERENCE)).buffer),
  }
  const contradiction = findContradiction(bundle)
  if (contradiction !== null) {
    throw new ModelError('bundle_broken', `bundle ${path}: ${contradiction}; train it anew with bootstrap`)
  }
  return bundle
}

/** The first two parts that do not fit each other, as text, or null. */
function findContradiction({ manifest, reference }: Bundle): string | null {
  const { schema, network, calibration } = manifest
  const d = featureCount(schema)
  const input = network.widths[0]
  const output = network.widths.at(-1)
  if (input !== d) return `${d} features in the schema, ${input} at the input of the network`
  if (output !== d) return `${d} features in the schema, ${output} at the output of the network`
  if (schema.transforms.length !== d) {
    return `${d} features in the schema, ${schema.transforms.length} transforms`
  }
  const evidence = calibration.evidence.join(', ')
  if (evidence !== EVIDENCE.join(', ')) {
    return `evidence ${evidence}; this program gives ${EVIDENCE.join(', ')}`
  }
  const scales = calibration.weights.length
  for (const name of ['centre', 'spread'] as const) {
    const found = calibration[name].length
    if (found !== EVIDENCE.length * scales) {
      return `${EVIDENCE.length} kinds of evidence at ${scales} scales, ${found} ${name}s`
    }
  }
  const windows = manifest.reference.calibration.reduce((sum, [, n]) => sum + n, manifest.reference.train)
  if (windows * d !== reference.length) {
    return `${windows} reference windows of ${d} features, ${reference.length} values in ${REFERENCE}`
  }
  return null
}

function parseManifest(path: string, text: Buffer): Manifest {
  let value: unknown
  try {
    value = JSON.parse(text.toString('utf8'))
  } catch (error) {
    throw new ModelError('bundle_broken', `bundle ${path}: ${MANIFEST} is not JSON; was it cut short?`, {
      cause: error,
    })
  }
  const format = (value as { format?: unknown } | null)?.format
  if (format !== BUNDLE_FORMAT) {
    throw new ModelError(
      'bundle_mismatch',
      `bundle ${path}: format ${JSON.stringify(format)}, this program reads format ${BUNDLE_FORMAT}; train it anew with bootstrap`,
    )
  }
  const validate = new Ajv({ allErrors: false }).compile<Manifest>(ManifestSchema)
  if (!validate(value)) {
    const problem = validate.errors?.[0]
    throw new ModelError(
      'bundle_broken',
      `bundle ${path}: ${MANIFEST} at ${problem?.instancePath || '/'}: ${problem?.message ?? 'does not fit the schema'}`,
    )
  }
  return value
}

function readPart(path: string, name: string): Buffer {
  try {
    return readFileSync(join(path, name))
  } catch (cause) {
    if (name !== MANIFEST) {
      const message = `bundle ${path}: ${name} can't be read; copy the whole bundle or make it anew with bootstrap`
      throw new ModelError('bundle_broken', message, { cause })
    }
    throw new ModelError(
      'bundle_missing',
      `no bundle at ${path}: ${join(path, name)} can't be read; make one with bootstrap --out`,
      { cause },
    )
  }
}

function bytes(data: Float64Array | Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
