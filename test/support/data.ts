import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const DATA = join(ROOT, '../shared/data')

/**
 * Path of a file or folder of the reference data beside the repository, or null, with a loud line on standard error, where it is
 * absent: `const smd = sharedData('smd')`, then `test(…, { skip: smd === null }, …)`.
 */
export function sharedData(name: string): string | null {
  const path = join(DATA, name)
  if (existsSync(path)) return path
  console.error(`SKIPPED: tests on real data, as ${relative(ROOT, path)} is not there`)
  return null
}
