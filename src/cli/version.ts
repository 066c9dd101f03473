import { readFileSync } from 'node:fs'

/** The version of the package. */
export function version(): string {
  // Two folders up from src/cli and from dist/cli alike.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
