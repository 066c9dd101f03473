import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes a file beside `path`, waits until the disk has it, and renames it into place: whole or not at all. */
export function writeDurably(path: string, parts: readonly Uint8Array[]): void {
  const beside = `${path}.tmp`
  const file = openSync(beside, 'w')
  try {
    for (const part of parts) {
      for (let done = 0; done < part.length; ) done += writeSync(file, part, done)
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(beside, path)
  // The new name is an entry of the directory, which has to reach the disk as well.
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
