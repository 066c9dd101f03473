/** Files of the repository that are made from `src`. `npm run generate` writes them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { configReference } from '../../src/config/reference.ts'
import { ALARM_AVRO, FLAG_AVRO } from '../../src/detect/record-avro.ts'
import { RECORD_SCHEMAS, schemaText } from '../../src/detect/record-schemas.ts'
import { metricsReference } from '../../src/telemetry/reference.ts'
import { manual } from './manual.ts'

const root = new URL('../../', import.meta.url)

/** Path from the root of the repository to the text that the file must have. */
export async function generatedFiles(): Promise<Map<string, string>> {
  const files = new Map([
    ['docs/configuration.md', configReference()],
    ['docs/metrics.md', metricsReference()],
    ['docs/examon-dec.1', await manual()],
  ])
  for (const [name, schema] of Object.entries(RECORD_SCHEMAS)) {
    files.set(`config/schemas/${name}`, schemaText(schema))
  }
  for (const [name, schema] of Object.entries({ flag: FLAG_AVRO, alarm: ALARM_AVRO })) {
    files.set(`config/schemas/${name}.avsc`, `${JSON.stringify(schema, null, 2)}\n`)
  }
  return files
}

if (import.meta.main) {
  for (const [path, text] of await generatedFiles()) {
    const file = new URL(path, root)
    mkdirSync(dirname(file.pathname), { recursive: true })
    writeFileSync(file, text)
  }
}
