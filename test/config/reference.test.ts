import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { SchemaNode } from '../../src/config/kinds.ts'
import { configReference } from '../../src/config/reference.ts'
import { ConfigSchema } from '../../src/config/schema.ts'
import { generatedFiles } from '../support/generate.ts'

for (const [path, text] of await generatedFiles()) {
  test(`${path} is what the schema says (mend with: npm run generate)`, () => {
    assert.equal(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'), text)
  })
}

test('every key has a description, and the reference names each', () => {
  const reference = configReference()
  const names: string[] = []
  const walk = (name: string, node: SchemaNode): void => {
    if (node.const === undefined) assert.ok(node.description, `${name} has no description`)
    for (const [key, inner] of Object.entries(node.properties ?? {})) {
      names.push(key)
      walk(`${name}.${key}`, inner)
    }
    if (node.items) walk(`${name}[]`, node.items)
    for (const variant of node.oneOf ?? []) walk(name, variant)
  }
  walk('', ConfigSchema as unknown as SchemaNode)
  assert.ok(names.length > 50)
  for (const name of names) {
    assert.ok(
      reference.includes(`\`${name}\``) ||
        reference.includes(`# ${name}`) ||
        reference.includes(`.${name}`) ||
        name === 'type',
      name,
    )
  }
})
