/** Pretrained autoencoders as files, so that a killed search does not train them again. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ModelOptions } from '../bootstrap/presets.ts'
import type { Pretraining } from '../evaluate/published/model.ts'
import { type Layer, layerSizes } from '../model/network.ts'

/** Equal for options that can share an autoencoder. */
export function pretrainingKey({ cluster: _, ...rest }: ModelOptions): string {
  return createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 12)
}

/** A line of JSON, then weights and biases of each layer as float32; written beside and renamed. */
export function keepPretraining(directory: string, key: string, pretraining: Pretraining): void {
  const { layers, ...rest } = pretraining
  const parts = layers.flatMap(({ weight, bias }) => [weight, bias])
  const bytes = parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
  const path = pathOf(directory, key)
  writeFileSync(`${path}.tmp`, Buffer.concat([Buffer.from(`${JSON.stringify(rest)}\n`), ...bytes]))
  renameSync(`${path}.tmp`, path)
}

/** Null where none is kept. */
export function findPretraining(directory: string, key: string): Pretraining | null {
  const path = pathOf(directory, key)
  if (!existsSync(path)) return null
  const data = readFileSync(path)
  const end = data.indexOf('\n')
  const head = JSON.parse(data.toString('utf8', 0, end)) as Omit<Pretraining, 'layers'>
  // A copy, since typed arrays want an aligned start.
  const values = new Float32Array(Uint8Array.from(data.subarray(end + 1)).buffer)
  let at = 0
  const take = (size: number): Float32Array => {
    at += size
    return values.slice(at - size, at)
  }
  const layers = layerSizes(head.network).map(([inputs, outputs]): Layer => {
    const weight = take(inputs * outputs)
    return { weight, bias: take(outputs), inputs, outputs }
  })
  return { ...head, layers }
}

export function removePretraining(directory: string, key: string): void {
  rmSync(pathOf(directory, key), { force: true })
}

function pathOf(directory: string, key: string): string {
  return join(directory, `pretrained-${key}.bin`)
}
